"""Make redis.conf, the manual page and the completions of shells from the table of settings.

    python deploy/make.py           write them, beside this file
    python deploy/make.py --check   exit status 1 if one of them is not as it would be written
"""
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from meanings import DIRECTIVES, SECTIONS  # noqa: E402

import fastredis  # noqa: E402
from fastredis.config import types  # noqa: E402
from fastredis.config.table import PARAMETERS  # noqa: E402
from fastredis.text import quote  # noqa: E402

WIDTH = 100
NAMES = {parameter.name: parameter for parameter in PARAMETERS}
OPTIONS = ("--help", "--version", "--check-rdb", "--check-aof")
# Other values than the default, and examples of what is not set by default.
CHOSEN = {"bind": "127.0.0.1 -::1"}
UNSET = {
    "dir": "./", "unixsocket": "/run/redis/redis.sock", "unixsocketgroup": "redis", "unixsocketperm": "700",
    "pidfile": "/run/redis/redis.pid", "requirepass": "a-long-random-word", "masterauth": "a-long-random-word",
    "masteruser": "replica", "replicaof": "192.0.2.1 6379", "replica-announce-ip": "192.0.2.2",
    "aclfile": "/etc/redis/users.acl", "bind-source-addr": "192.0.2.2", "server-cpulist": "0-3",
    "tls-cert-file": "/etc/redis/redis.crt", "tls-key-file": "/etc/redis/redis.key", "tls-key-file-pass": "secret",
    "tls-client-cert-file": "/etc/redis/client.crt", "tls-client-key-file": "/etc/redis/client.key",
    "tls-client-key-file-pass": "secret", "tls-ca-cert-file": "/etc/redis/ca.crt", "tls-ca-cert-dir": "/etc/ssl/certs",
    "tls-protocols": '"TLSv1.2 TLSv1.3"', "tls-ciphers": "DEFAULT:!MEDIUM", "tls-dh-params-file": "/etc/redis/dh",
    "tls-ciphersuites": "TLS_CHACHA20_POLY1305_SHA256", "bio-cpulist": "1,3", "bgsave-cpulist": "1,3",
    "aof-rewrite-cpulist": "1,3",
}


def honoured() -> list[types.Parameter]:
    """The settings that have an effect."""
    return [each for each in PARAMETERS if not each.inert and not each.absent]


def shown_in_file(parameter: types.Parameter) -> bool:
    """Whether it belongs into a file: some are for tests and hidden from CONFIG GET *."""
    return not parameter.flags & types.HIDDEN


def values_of(parameter: types.Parameter) -> tuple[str, ...]:
    """The words that it may be; () if there is no list of them."""
    if isinstance(parameter, types.Bool):
        return ("yes", "no")
    if isinstance(parameter, types.EnumSet):
        return tuple(parameter.values)
    if isinstance(parameter, types.Enum):
        return (*parameter.values, *parameter.newer)
    return ()


# --- redis.conf ---------------------------------------------------------------------------------------------------


def comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def value_lines(parameter: types.Parameter) -> list[str]:
    """The lines that set it to its default, or, behind a `#`, an example where the default is not to have it."""
    name = parameter.name
    if name in CHOSEN:
        return [f"{name} {CHOSEN[name]}"]
    if name in UNSET:
        return [f"# {name} {UNSET[name]}"]
    if isinstance(parameter, types.BufferLimits):
        words = parameter.text(parameter.default).split()
        return [f"{name} {' '.join(words[at:at + 4])}" for at in range(0, len(words), 4)]
    text = parameter.text(parameter.default)
    plain = parameter.multi_arg and text
    return [f"{name} {text if plain else quote(text) if not text or set(text) & set(' {}') else text}"]


def redis_conf() -> str:
    """The sample file: a server starts with it as it starts without."""
    lines = [*comment(f"Settings of fastredis {fastredis.__version__}, each at its default, but for `bind`. Made by "
                      "deploy/make.py."), "#",
             *comment("Start a server with this file: fastredis /path/to/redis.conf. Options on the command line win: "
                      "fastredis /path/to/redis.conf --port 7777. CONFIG SET changes a setting that has no star below "
                      "while the server runs, and CONFIG REWRITE writes what was changed into the file."), "#",
             *comment("Sizes are bytes, or have a unit: 1k is 1000 and 1kb 1024 bytes, and so on for m, mb, g, gb.")]
    for title, about, meanings in SECTIONS:
        lines += ["", "", f"# {f' {title} ':=^{WIDTH - 2}}", *comment(about)]
        for name, meaning in meanings.items():
            parameter = NAMES[name]
            if not shown_in_file(parameter):
                continue
            star = "* " if parameter.flags & types.IMMUTABLE else ""
            words = values_of(parameter)
            if words and not isinstance(parameter, types.Bool):
                meaning += f" Of: {', '.join(words)}."
            lines += ["", *comment(star + meaning), *value_lines(parameter)]
    lines += ["", "", f"# {' Others ':=^{WIDTH - 2}}"]
    for usage, meaning in DIRECTIVES.values():
        lines += ["", *comment(meaning), f"# {usage}"]
    return "\n".join(lines) + "\n"


# --- manual page --------------------------------------------------------------------------------------------------


def roff(text: str) -> str:
    """Text for troff: no line is a request, dashes are dashes."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return f"\\&{text}" if text.startswith((".", "'")) else text


MANUAL_HEAD = """\
.\\" Made by deploy/make.py.
.TH FASTREDIS 1 "" "fastredis {version}" "User Commands"
.SH NAME
fastredis \\- a server that speaks Redis's protocol
.SH SYNOPSIS
.B fastredis
.RI [ /path/to/redis.conf ]
.RB [ \\-\\-\\fIsetting\\fP
.IR value " ...] [\\-]"
.br
.B fastredis \\-\\-check\\-rdb
.I file
.br
.B fastredis \\-\\-check\\-aof
.RB [ \\-\\-fix " | " \\-\\-truncate\\-to\\-timestamp
.IR seconds ]
.I file
.br
.BR "fastredis \\-\\-version" " | " \\-\\-help
.SH DESCRIPTION
.B fastredis
keeps data in memory and serves them to clients of Redis and Valkey, on port 6379 unless it is told another one.
Settings come from the file, then from the standard input
.RB ( \\- ),
then from the command line; what comes last counts.
A setting
.I name
of the file is the option
.BI \\-\\- name
here.
.SH OPTIONS
.TP
.B \\-v, \\-\\-version
Show the version.
.TP
.B \\-h, \\-\\-help
Show how it is called.
.TP
.BI \\-\\-check\\-rdb " file"
Say whether a snapshot can be loaded, and what is in it.
.TP
.BI \\-\\-check\\-aof " file"
Say whether an append\\-only file (or its manifest) can be loaded;
.B \\-\\-fix
cuts off what is not whole.
.SH SETTINGS
Those marked with * can't be changed while the server runs. The others can, by CONFIG SET.
"""

MANUAL_TAIL = """\
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
Save if there are save points, and end; what
.B shutdown\\-on\\-sigterm
and
.B shutdown\\-on\\-sigint
say. A second SIGINT ends the process at once.
.SH EXIT STATUS
0 after a shutdown, 1 if the server could not start.
.SH SEE ALSO
.BR redis\\-cli (1),
.BR redis\\-server (1)
"""


def manual() -> str:
    lines = [MANUAL_HEAD.replace("{version}", roff(fastredis.__version__)).rstrip("\n")]
    for title, about, meanings in SECTIONS:
        lines += [f".SS {title}", roff(about)]
        for name, meaning in meanings.items():
            parameter = NAMES[name]
            default = parameter.text(parameter.default) if name != "dir" else "where it is started"
            star = " *" if parameter.flags & types.IMMUTABLE else ""
            lines += [".TP", f".BR {roff(name)} \"{star} (default: {roff(default) or 'empty'})\"",
                      roff(" ".join(meaning.split()))]
    for usage, meaning in DIRECTIVES.values():
        lines += [".TP", f".B {roff(usage)}", roff(meaning)]
    return "\n".join(lines) + "\n" + MANUAL_TAIL


# --- completions --------------------------------------------------------------------------------------------------


def cases() -> Iterator[tuple[str, str]]:
    """(a setting, its words), for those that have a list of them."""
    for parameter in honoured():
        words = values_of(parameter)
        if words:
            yield parameter.name, " ".join(words)


def bash_completion() -> str:
    names = " ".join([*OPTIONS, *(f"--{each.name}" for each in honoured())])
    lines = ["# bash completion for fastredis. Made by deploy/make.py.", "",
             "_fastredis() {", '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
             '    case "$before" in']
    lines += [f'    --{name}) COMPREPLY=($(compgen -W "{words}" -- "$word")); return ;;' for name, words in cases()]
    lines += ["    --dir) COMPREPLY=($(compgen -d -- \"$word\")); return ;;",
              "    --check-rdb | --check-aof | --aclfile | --logfile | --pidfile)",
              "        COMPREPLY=($(compgen -f -- \"$word\")); return ;;", "    esac",
              '    if [[ "$word" == -* ]]; then', f'        COMPREPLY=($(compgen -W "{names}" -- "$word"))', "    else",
              '        COMPREPLY=($(compgen -f -- "$word"))', "    fi", "}",
              "complete -o filenames -F _fastredis fastredis"]
    return "\n".join(lines) + "\n"


PLAIN = str.maketrans({"[": "(", "]": ")", ":": ",", "'": "", "`": "", '"': ""})     # what zsh takes as it is


def zsh_completion() -> str:
    lines = ["#compdef fastredis", "# zsh completion for fastredis. Made by deploy/make.py.", "", "_arguments \\",
             "    '(- *)'{-h,--help}'[show how it is called]' \\", "    '(- *)'{-v,--version}'[show the version]' \\",
             "    '--check-rdb[look at a snapshot]:file:_files' \\",
             "    '--check-aof[look at an append-only file]:file:_files' \\"]
    words = dict(cases())
    for _, _, meanings in SECTIONS:
        for name, meaning in meanings.items():
            first = meaning.partition(". ")[0].rstrip(".").translate(PLAIN)
            value = f"({words[name]})" if name in words else "_files" if name in ("dir", "aclfile", "logfile") else " "
            lines.append(f"    '--{name}[{first}]:{name}:{value}' \\")
    return "\n".join([*lines, "    '1:file:_files'"]) + "\n"


FILES = {"redis.conf": redis_conf, "fastredis.1": manual, "completions/fastredis.bash": bash_completion,
         "completions/_fastredis": zsh_completion}


def main(arguments: list[str]) -> int:
    stale = 0
    for name, make in FILES.items():
        file, text = HERE / name, make()
        if file.exists() and file.read_text() == text:
            continue
        stale += 1
        if arguments == ["--check"]:
            print(f"deploy/{name} is not what deploy/make.py would write", file=sys.stderr)
        else:
            file.write_text(text)
            print(f"wrote deploy/{name}")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
