"""The command line: arguments and messages as redis-server's, and the process around the server."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

import fastredis
from fastredis import cli
from fastredis.config.config import Config, FatalConfigError
from fastredis.host import process
from fastredis.host.logs import Logger
from tests.test_config import REDIS_SERVER, RealServer, needs_redis, theirs_as_ours

ROOT = Path(fastredis.__file__).resolve().parent.parent

# A server that stops at once: it says what it was given. The process around it is what is tested here.
STAND_IN = """
import sys, types
module = types.ModuleType("fastredis.server")
def run(config, log, around):
    {body}
    return 7
module.run = run
sys.modules["fastredis.server"] = module
from fastredis.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fastredis_command(*arguments, stdin="", body=None, **environment):
    """Run the command (with a stand-in for the server that executes `body`) and return what came of it."""
    start = ["-c", STAND_IN.format(body=body)] if body else ["-m", "fastredis"]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


# Arguments. Rows: arguments, the file's text or None, standard input, names to compare if the server starts.

ARGUMENTS = {
    "one value": (["--hz", "20"], None, "", "hz"),
    "one argument": (["--hz 20"], None, "", "hz"),
    "no value": (["--hz"], None, "", ""),
    "an option as value": (["--hz", "--maxmemory", "5"], None, "", ""),
    "two values": (["--hz", "1", "2"], None, "", ""),
    "unknown": (["--nosuch", "1"], None, "", ""),
    "bad value": (["--maxmemory", "foo"], None, "", ""),
    "capitals": (["--HZ", "20"], None, "", "hz"),
    "empty save": (["--save", ""], None, "", "save"),
    "save without value": (["--save"], None, "", "save"),
    "save before an option": (["--save", "--hz", "20"], None, "", "save hz"),
    "save points": (["--save", "3600", "1", "300", "100"], None, "", "save"),
    "save points in one": (["--save", "3600 1 300 100"], None, "", "save"),
    "save points in two": (["--save", "3600 1", "300 100"], None, "", ""),
    "save twice": (["--save", "1", "2", "--save", "3", "4"], None, "", "save"),
    "save adds to the file's": (["--save", "1", "2"], "save 3 4\n", "", "save"),
    "empty save clears the file's": (["--save", ""], "save 3 4\n", "", "save"),
    "addresses": (["--bind", "127.0.0.1", "127.0.0.2"], None, "", "bind"),
    "addresses in one": (["--bind", "127.0.0.1 127.0.0.2"], None, "", "bind"),
    "options win over the file": (["--hz", "40"], "hz 30\nmaxmemory 5", "", "hz maxmemory"),
    "lines go on after the file": (["--maxmemory", "foo"], "hz 20\nhz 30", "", ""),
    "lines go on after a newline": (["--maxmemory", "foo"], "hz 20\nhz 30\n", "", ""),
    "blanks and quotes": (["--dbfilename", 'x y"z\t'], None, "", "dbfilename"),
    "standard input": (["-"], None, "hz 30", "hz"),
    "standard input first": (["-", "--hz", "40"], None, "hz 30", "hz"),
    "standard input last": (["--hz", "40", "-"], None, "hz 30\nmaxmemory 5", "hz maxmemory"),
    "file and standard input": (["--maxmemory", "6", "-"], "hz 20\nmaxmemory 5", "\nhz 30", "hz maxmemory"),
    "standard input joins the file's last line": (["-"], "hz 2", "0\nmaxmemory 5", "hz maxmemory"),
    "a dash in the middle": (["--hz", "-", "--maxmemory", "5"], None, "hz 30", ""),
    "one dash is no option": (["-x"], None, "", ""),
    "dashes and an option": (["--hz", "20", "--"], None, "", ""),
    "dashes and a word": (["--", "x"], None, "", ""),
    "dashes in a value": (["--dbfilename", "--x"], None, "", "dbfilename"),
    "bad bool": (["--appendonly", "--x"], None, "", ""),
    "several words": (["--shutdown-on-sigterm", "save", "now"], None, "", "shutdown-on-sigterm"),
    "no log file": (["--logfile", "/nonexistent/x"], None, "", ""),
    "repeated": (
        ["--client-output-buffer-limit", "normal", "1", "2", "3", "--client-output-buffer-limit", "replica 1 2 3"],
        None,
        "",
        "client-output-buffer-limit",
    ),
}


@needs_redis
@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_mean_what_they_mean_to_redis(case, tmp_path):
    arguments, file_text, stdin, names = ARGUMENTS[case]
    if file_text is not None:
        (tmp_path / "redis.conf").write_text(file_text)
        arguments = [str(tmp_path / "redis.conf"), *arguments]
    # The real server gets a port of its own, and so do we; "-" must stay the first or the last argument.
    tail = arguments[-1:] if arguments[-1] == "-" and len(arguments) > 1 else []
    head = arguments[: len(arguments) - len(tail)]
    with RealServer(tmp_path, *head, last=tail, stdin=stdin) as server:
        error, config = None, Config()
        try:
            given = cli.parse_arguments([*head, *server.extra, *tail])
            config.load(given.file, stdin if given.reads_stdin else None, given.options)
        except FatalConfigError as refusal:
            error = "\n".join(line for line in cli.fatal_text(refusal).split("\n") if not line.startswith("File: "))
        if server.error is not None:
            assert server.error, "redis-server stopped for another reason than its settings"
            assert error == theirs_as_ours(server.error)
            assert not names
        else:
            assert error is None
            assert names
            assert config.glob(names.split()) == server.config(*names.split())


# The command.


def test_version_and_help_and_what_there_is_not():
    version = fastredis_command("--version")
    assert version.returncode == 0
    assert re.fullmatch(
        rf"Redis server v={fastredis.REDIS_VERSION} sha=00000000:0 malloc=slabs\+libc bits=64 build=[0-9a-f]{{16}} "
        rf"fastredis={fastredis.__version__}\n",
        version.stdout,
    )
    assert fastredis_command("-v", "x").stdout == version.stdout
    usage = fastredis_command("--help")
    assert (usage.returncode, usage.stdout) == (1, "") and usage.stderr.startswith("Usage: fastredis")
    for option in ("--test-memory", "--check-system"):
        refusal = fastredis_command(option, "5")
        assert refusal.returncode == 1 and refusal.stderr == f"fastredis does not offer {option}.\n"
    sentinel = fastredis_command("x.conf", "--sentinel")
    assert sentinel.returncode == 1 and "no Sentinel mode" in sentinel.stderr


def test_fatal_error_as_printed(tmp_path):
    (tmp_path / "redis.conf").write_text("hz 10\n\nmaxmemory foo\n")
    result = fastredis_command(str(tmp_path / "redis.conf"))
    assert (result.returncode, result.stdout) == (1, "")
    expected = (
        f"\n*** FATAL CONFIG FILE ERROR (Redis {fastredis.REDIS_VERSION}) ***\n"
        "Reading the configuration file, at line 3\n"
        ">>> 'maxmemory foo'\n"
        "argument must be a memory value\n"
    )
    assert result.stderr == f"{expected}File: {tmp_path}/redis.conf\n"
    if REDIS_SERVER:
        with RealServer(tmp_path, str(tmp_path / "redis.conf")) as server:
            assert theirs_as_ours(server.error) == expected


def test_missing_file_is_logged(tmp_path):
    result = fastredis_command("/nonexistent.conf")
    assert (result.returncode, result.stderr) == (1, "")
    reason = "# Fatal error, can't open config file '/nonexistent.conf': No such file or directory"
    assert result.stdout.endswith(reason + "\n") and re.match(r"\d+:C ", result.stdout)
    (tmp_path / "redis.conf").write_text("\ninclude /nonexistent.conf\n")
    result = fastredis_command("redis.conf")
    where = f"(included by line 2 of {tmp_path}/redis.conf: 'include /nonexistent.conf')"
    assert result.stdout.endswith(f"{reason} {where}\n")


def test_what_the_engine_refuses_is_printed_and_logged(tmp_path):
    (tmp_path / "redis.conf").write_text("hz 10\nrename-command a foo\n")
    body = "raise config.renamed_commands[0].fatal('No such command in rename-command')"
    result = fastredis_command("redis.conf", "--pidfile", "x.pid", body=body)
    assert result.returncode == 1 and not (tmp_path / "x.pid").exists()
    assert "at line 2\n>>> 'rename-command a foo'\nNo such command in rename-command\nFile: " in result.stderr
    assert "# Fatal configuration error: 'rename-command a foo': No such command in rename-command" in result.stdout


def test_bytes_in_a_bad_line_are_printed(tmp_path):
    (tmp_path / "redis.conf").write_bytes(b"hz \xff\n")
    result = fastredis_command("redis.conf")
    assert ">>> 'hz \\udcff'\n" in result.stderr and result.returncode == 1


def test_settings_come_without_the_engine():
    code = "import sys, fastredis.cli; fastredis.cli.main(['--nosuch', '1']); print(sorted(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert "Bad directive" in result.stderr
    loaded = result.stdout
    for module in ("asyncio", "uvloop", "fastredis.server", "fastredis.engine.engine", "ctypes"):
        assert f"'{module}'" not in loaded


def test_run_returns_the_exit_code_and_reads_stdin():
    result = fastredis_command("-", stdin="hz 33", body="print(config.hz, config.file, flush=True)")
    assert result.returncode == 7
    assert "\n33 None\n" in result.stdout and "* Reading config from stdin\n" in result.stdout
    assert "* Configuration loaded\n" in result.stdout
    result = fastredis_command(body="log.notice('up')")
    assert "# Warning: no config file specified, using the default config." in result.stdout
    assert re.search(r"^\d+:M .* \* up$", result.stdout, re.MULTILINE)


def test_pidfile_lives_as_long_as_the_server(tmp_path):
    body = "print(open('x.pid').read() == f'{__import__(\"os\").getpid()}\\n', flush=True)"
    result = fastredis_command("--pidfile", "x.pid", body=body)
    assert "\nTrue\n" in result.stdout and not (tmp_path / "x.pid").exists()
    result = fastredis_command("--pidfile", "/nonexistent/x.pid", body="print('ran', flush=True)")
    assert "# Failed to write PID file: No such file or directory\n" in result.stdout
    assert "\nran\n" in result.stdout and result.returncode == 7


def test_daemon_leaves_the_terminal(tmp_path):
    body = (
        "import os; open('made', 'w').write(f'{os.getpid()} {os.getsid(0)} {os.getppid()} '"
        " + os.readlink('/proc/self/fd/1') + ' ' + config.text('pidfile')); os.rename('made', 'done')"
    )
    result = fastredis_command("--daemonize", "yes", "--pidfile", "x.pid", "--logfile", "log", body=body)
    assert (result.returncode, result.stdout) == (0, "")
    deadline = time.monotonic() + 10
    while not (tmp_path / "done").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pid, session, _, stdout, pidfile = (tmp_path / "done").read_text().split()
    assert pid != session and session != str(os.getsid(0))
    assert (stdout, pidfile) == ("/dev/null", "x.pid")
    assert f"{pid}:C" in (tmp_path / "log").read_text()


def test_systemd_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(10)
        body = "from fastredis.host import process; process.notify_systemd('READY=1\\n', log); print(config.supervised)"
        arguments = ("--supervised", "auto", "--daemonize", "yes")
        result = fastredis_command(*arguments, body=body, NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert result.returncode == 7, "a supervised server stays in the foreground"
        assert "\nsystemd\n" in result.stdout and "Supervised by systemd." in result.stdout
        assert channel.recv(100) == b"STATUS=Redis is loading...\n"
        assert channel.recv(100) == b"READY=1\n"
    result = fastredis_command("--supervised", "systemd", body="pass", NOTIFY_SOCKET="")
    assert "# systemd supervision error: NOTIFY_SOCKET not found!" in result.stdout


TITLE = ("--proc-title-template", "cache {port} {server-mode}", "--port", "7")


def title_and_name(*arguments, **environment):
    """What the kernel says of the process: the title of `ps` and the short name of `top`."""
    body = "import json; print(json.dumps([open(f'/proc/self/{name}').read() for name in ('cmdline', 'comm')]))"
    title, name = json.loads(fastredis_command(*arguments, body=body, **environment).stdout.splitlines()[-1])
    return [title.rstrip("\0"), name.rstrip("\n")]


def test_short_name_without_the_package(tmp_path):
    (tmp_path / "setproctitle.py").write_text("raise ImportError")
    path = f"{tmp_path}:{ROOT}"
    title, name = title_and_name(*TITLE, PYTHONPATH=path)
    assert title.startswith(sys.executable) and name == "cache 7"
    assert title_and_name(*TITLE, "--set-proc-title", "no", PYTHONPATH=path)[1] != "cache 7"


@pytest.mark.skipif(find_spec("setproctitle") is None, reason="the package setproctitle is not installed")
def test_title():
    assert title_and_name(*TITLE) == ["cache 7", "cache 7"]
    title, name = title_and_name(*TITLE, "--set-proc-title", "no")
    assert title.startswith(sys.executable) and name != "cache 7"


@pytest.mark.parametrize("called, title, name", [
    ("/usr/bin/fastredis", "/usr/bin/fastredis 127.0.0.1:7 {x} -", "fastredis 127.0.0.1:7 {x} -"),
    ("/lib/fastredis/__main__.py", "fastredis 127.0.0.1:7 {x} -", "fastredis 127.0.0.1:7 {x} -"),
])
def test_title_follows_its_template(monkeypatch, called, title, name):
    config = Config()
    config.load(options="port 7\nbind 127.0.0.1")
    titles, names = [], []
    monkeypatch.setitem(sys.modules, "setproctitle", SimpleNamespace(setproctitle=titles.append))
    monkeypatch.setattr(process, "set_short_name", names.append)
    monkeypatch.setattr(sys, "argv", [called])
    config.on_change("proc-title-template", process.set_title)
    config.set_many([("proc-title-template", "{title} {listen-addr} {{x} {config-file}")])
    assert (titles, names) == ([title], [name])


@needs_redis
@pytest.mark.skipif(find_spec("setproctitle") is None, reason="the package setproctitle is not installed")
def test_title_is_redis_own(tmp_path, fresh_server):
    template = "{title}|{listen-addr}|{port}|{tls-port}|{unixsocket}|{config-file}|{server-mode}|"
    options = ("--proc-title-template", template, "--unixsocket", str(tmp_path / "socket"))

    def title(server):
        text = Path(f"/proc/{server.pid}/cmdline").read_bytes().rstrip(b"\0").decode()
        return text.replace(str(server.port), "PORT").replace(str(server.directory), "DIRECTORY").split("|")

    with fresh_server(*options, config="hz 11\n") as server, \
            fresh_server(*options, config="hz 11\n", kind="peer") as other:
        assert title(server)[0] == "fastredis"
        assert title(other)[0].endswith("redis-server")
        assert title(server)[1:] == title(other)[1:]


@pytest.mark.parametrize("text, cpus", [
    ("0", {0}), ("0,2,3", {0, 2, 3}), ("0,2-3", {0, 2, 3}), ("0-20:2", set(range(0, 21, 2))), ("0-1:3,7", {0, 7}),
    ("3-3", {3}), ("1020-999999999", {1020, 1021, 1022, 1023}), ("5000", set()),
    ("", None), ("x", None), ("1-", None), ("3-2", None), ("0-3:0", None), ("0-3:", None), ("0,", None), ("0 1", None),
    ("-1", None), ("0:2", None), ("\u0661", None),
])
def test_cpu_list(text, cpus):
    assert process.cpu_list(text) == cpus


# The log.


def log_lines(options, *calls):
    config = Config()
    config.load(options=f"logfile redis.log\n{options}")
    log = Logger(config)
    for call in calls:
        call(log)
    path = Path("redis.log")
    return path.read_text(errors="surrogateescape").splitlines() if path.exists() else []


def test_log_line_is_redis_own():
    lines = log_lines("", lambda log: log.notice("early"), Logger.started, lambda log: log.warning("up"))
    stamp = r"\d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d\.\d{3}"
    assert re.fullmatch(rf"{os.getpid()}:C {stamp} \* early", lines[0])
    assert re.fullmatch(rf"{os.getpid()}:M {stamp} # up", lines[1])


@needs_redis
def test_log_line_looks_like_a_real_one(tmp_path):
    with RealServer(tmp_path, "--logfile", "theirs.log", "--save", "") as server:
        assert server.error is None
        theirs = (tmp_path / "theirs.log").read_text().splitlines()[0]
    ours = log_lines("", lambda log: log.warning("x"))[0]

    def shape(line):
        return re.sub(r"[A-Z][a-z]{2}", "Mon", re.sub(r"\d", "0", line.split(" # ")[0].partition(":")[2]))

    assert shape(ours) == shape(theirs)


def test_log_levels_and_roles():
    def speak(log):
        log.started()
        for write in (log.debug, log.verbose, log.notice, log.warning):
            write("x")

    marks = {"debug": ".-*#", "verbose": "-*#", "notice": "*#", "warning": "#", "nothing": ""}
    for level, expected in marks.items():
        Path("redis.log").unlink(missing_ok=True)
        assert "".join(line.split()[-2] for line in log_lines(f"loglevel {level}", speak)) == expected

    def replicate(log):
        log.started()
        log.is_replica = True
        log.warning("x")

    Path("redis.log").unlink(missing_ok=True)
    assert ":S " in log_lines("", replicate)[0]


def test_log_of_a_child():
    def fork(log):
        log.started()
        child = os.fork()
        if not child:
            log.notice("child")
            os._exit(0)
        os.waitpid(child, 0)

    assert re.match(r"\d+:C .* child", log_lines("", fork)[0])


def test_log_formats():
    iso = log_lines("log-timestamp-format iso8601", lambda log: log.notice("x"))[0]
    assert re.fullmatch(r"\d+:C \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \* x", iso)
    Path("redis.log").unlink()
    milliseconds = log_lines("log-timestamp-format milliseconds", lambda log: log.notice("x"))[0]
    assert abs(int(milliseconds.split()[1]) / 1000 - time.time()) < 60
    Path("redis.log").unlink()
    options = "log-format logfmt\nlog-timestamp-format milliseconds"
    line = log_lines(options, Logger.started, lambda log: log.verbose("no"), lambda log: log.notice('a "b"\nc'))[0]
    assert re.fullmatch(rf"pid={os.getpid()} role=primary timestamp=\"\d+\" level=notice message=\"a 'b' c\"", line)


def test_log_as_json():
    text = 'a "b"\\\n\t\x01\u00e9\udcff'
    options = "log-format json\nlog-timestamp-format milliseconds\nloglevel debug"
    lines = log_lines(options, lambda log: log.warning("x"), Logger.started, lambda log: log.verbose(text),
                      lambda log: setattr(log, "is_replica", True), lambda log: log.debug("y"))
    found = [json.loads(line) for line in lines]
    assert [list(each) for each in found] == [["pid", "role", "timestamp", "level", "message"]] * 3
    assert [(each["pid"], each["role"], each["level"], each["message"]) for each in found] == [
        (os.getpid(), "RDB/AOF", "warning", "x"),
        (os.getpid(), "primary", "info", 'a "b"\\\n\t\x01\u00e9\ufffd'),
        (os.getpid(), "replica", "debug", "y"),
    ]
    assert abs(int(found[0]["timestamp"]) / 1000 - time.time()) < 60


def test_log_survives_rotation():
    def rotate(log):
        log.notice("old")
        os.rename("redis.log", "redis.log.1")
        log.notice("new")

    assert log_lines("", rotate)[0].endswith("* new")
    assert Path("redis.log.1").read_text().endswith("* old\n")


def test_log_that_cannot_be_written_is_no_error():
    config = Config()
    config.set_value("logfile", "/nonexistent/x")
    Logger(config).warning("lost")


def test_syslog(monkeypatch):
    syslog = pytest.importorskip("syslog")
    calls = []
    monkeypatch.setattr(syslog, "openlog", lambda *args: calls.append(args))
    monkeypatch.setattr(syslog, "syslog", lambda *args: calls.append(args))
    options = "syslog-enabled yes\nsyslog-ident me\nsyslog-facility local3"
    log_lines(options, lambda log: log.warning("a\0b"), lambda log: log.verbose("no"), lambda log: log.notice("c"))
    assert calls == [
        ("me", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_LOCAL3),
        (syslog.LOG_WARNING, "a b"),
        (syslog.LOG_NOTICE, "c"),
    ]
