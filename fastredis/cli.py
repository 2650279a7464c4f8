"""The command line: redis-server's arguments, and a server process around `server.run`.

The engine is imported only once the settings are read, so --version, --help and mistakes answer at once.
"""

import os
import sys
from typing import NamedTuple

import fastredis
from fastredis.config.config import Config, FatalConfigError, UnreadableConfigError
from fastredis.host.logs import Logger
from fastredis.text import quote, split_args, to_text

USAGE = """\
Usage: fastredis [/path/to/redis.conf] [options] [-]
       fastredis - (read config from stdin)
       fastredis -v or --version
       fastredis -h or --help
       fastredis --check-rdb <file>
       fastredis --check-aof [--fix | --truncate-to-timestamp <seconds>] <file>

Examples:
       fastredis (run the server with default conf)
       echo 'maxmemory 128mb' | fastredis -
       fastredis /etc/redis/6379.conf
       fastredis --port 7777
       fastredis --port 7777 --replicaof 127.0.0.1 8888
       fastredis /etc/myredis.conf --loglevel verbose -
       fastredis /etc/myredis.conf --loglevel verbose
"""


class Arguments(NamedTuple):
    """What to read: a file, the standard input, and options spelled as lines of configuration."""

    file: str | None
    reads_stdin: bool
    options: str


def main(argv: list[str] | None = None) -> int:
    """Run the server and return the exit code. argv is without the program's name; default: sys.argv's."""
    argv = sys.argv[1:] if argv is None else argv
    answer = _answer_special(argv)
    if answer is not None:
        return answer
    config = Config()
    log = Logger(config)
    config.warn = log.warning
    try:
        if argv:
            arguments = parse_arguments(argv)
            config.load(arguments.file, _read_stdin(log) if arguments.reads_stdin else None, arguments.options)
    except UnreadableConfigError as error:
        where = f" (included by line {error.file_line} of {error.file}: '{error.line_text}')" if error.file else ""
        log.warning(error.reason + where)
        return 1
    except FatalConfigError as error:
        sys.stderr.write(fatal_text(error))
        return 1
    try:
        return _serve(config, log, bool(argv))
    except FatalConfigError as error:
        # Found by the engine, when a daemon's stderr is gone already: so it goes to the log, too.
        sys.stderr.write(fatal_text(error))
        where = f"Fatal configuration error: '{error.line_text}': " if error.line_text is not None else ""
        log.warning(where + error.reason)
        return 1


def _answer_special(argv: list[str]) -> int | None:
    """Answer what does not start a server; return the exit code, or None."""
    first = argv[0] if argv else ""
    if first in ("-v", "--version"):
        print(version_text())
        return 0
    if first in ("-h", "--help"):
        # redis-server's help, too, goes to stderr and counts as a failure.
        sys.stderr.write(USAGE)
        return 1
    if first == "--check-rdb":
        from fastredis.persist.check_rdb import main as check_rdb  # loads the engine

        return check_rdb(argv[1:])
    if first == "--check-aof":
        from fastredis.persist.check_aof import main as check_aof  # loads the engine

        return check_aof(argv[1:])
    if first in ("--test-memory", "--check-system"):
        sys.stderr.write(f"fastredis does not offer {first}.\n")
        return 1
    if "--sentinel" in argv:
        sys.stderr.write("fastredis has no Sentinel mode. Run redis-sentinel: it can watch fastredis servers.\n")
        return 1
    return None


def version_text() -> str:
    """The line of `redis-server --version`, which tools take apart; what is our own stands behind it."""
    bits = sys.maxsize.bit_length() + 1
    return (
        f"Redis server v={fastredis.REDIS_VERSION} sha=00000000:0 malloc={fastredis.ALLOCATOR} bits={bits} "
        f"build={fastredis.build_id()} fastredis={fastredis.__version__}"
    )


def parse_arguments(argv: list[str]) -> Arguments:
    """Turn `--name value ...` into lines of configuration, by redis-server's rules.

    A first argument without a dash is the configuration file. "-" as the first or last argument reads the
    standard input. "--name" opens a line, unless the line before still lacks a value: then it is that value.
    "--name value" may also be one argument. Only --save may come without a value, which means the empty one.
    """
    file = argv[0] if not argv[0].startswith("-") else None
    reads_stdin = False
    complete = True  # the last line has a value, so "--" may open another
    options = ""
    for at, arg in enumerate(argv):
        if at == 0 and file is not None:
            continue
        is_last = at == len(argv) - 1
        if arg == "-" and (at == 0 or is_last):
            reads_stdin = True
        elif complete and arg.startswith("--"):
            options += ("\n" if options else "") + arg[2:] + " "
            complete = len(split_args(arg) or ()) != 1
            if arg.lower() == "--save" and (is_last or argv[at + 1].startswith("--")):
                options += '""'
                complete = True
        else:
            options += quote(arg) + " "
            complete = True
    return Arguments(file, reads_stdin, options)


def _read_stdin(log: Logger) -> str:
    log.notice("Reading config from stdin")
    return to_text(sys.stdin.buffer.read())


def fatal_text(error: FatalConfigError) -> str:
    """redis-server's message about settings it cannot start with, and the file's name if there is one."""
    text = f"\n*** FATAL CONFIG FILE ERROR (Redis {fastredis.REDIS_VERSION}) ***\n"
    if error.line_number is not None:
        text += f"Reading the configuration file, at line {error.line_number}\n>>> '{error.line_text}'\n"
    text += error.reason + "\n"
    if error.file is not None:
        elsewhere = f", line {error.file_line}" if error.file_line != error.line_number else ""
        text += f"File: {error.file}{elsewhere}\n"
    return text


def _work_in(config: Config) -> None:
    """Have the setting `dir` as the process's working directory, too: what is dumped after a crash is found there."""
    os.fchdir(config["dir"].fd)


def _serve(config: Config, log: Logger, configured: bool) -> int:
    """Become the server process and run the server in it."""
    from fastredis.host import process

    _work_in(config)
    config.on_change("dir", _work_in)
    supervisor = process.supervised_by(config, log)
    if supervisor:
        config.set_value("supervised", supervisor)
    elif config["daemonize"]:
        process.daemonize()
        if config["pidfile"] is None:
            config.set_value("pidfile", process.DEFAULT_PIDFILE)
    log.notice("oO0OoO0OoO0Oo fastredis is starting oO0OoO0OoO0Oo")
    log.notice(
        f"fastredis version={fastredis.__version__}, redis_version={fastredis.REDIS_VERSION}, "
        f"pid={os.getpid()}, just started"
    )
    if configured:
        log.notice("Configuration loaded")
    else:
        log.warning(
            "Warning: no config file specified, using the default config. "
            "In order to specify a config file use fastredis /path/to/redis.conf"
        )
    log.started()
    # CONFIG SET dir may move the process before the file is removed.
    pidfile = os.path.abspath(config["pidfile"]) if config["pidfile"] else None
    if pidfile is not None:
        process.write_pidfile(pidfile, log)
    process.set_title(config)
    config.on_change("proc-title-template", process.set_title)
    from fastredis.own_process import OwnProcess
    from fastredis.server import run  # loads the engine

    try:
        return run(config, log, OwnProcess(config, log))
    finally:
        if pidfile is not None:
            process.remove_pidfile(pidfile, log)
