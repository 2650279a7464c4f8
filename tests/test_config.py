"""Settings: the table against the facts, and behaviour against a real redis-server where one is on PATH."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import hiredis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastredis.config import types as types
from fastredis.config.config import Config, ConfigError, FatalConfigError, UnreadableConfigError
from fastredis.config.folder import Folder
from fastredis.config.table import PARAMETERS
from fastredis.text import glob_regex, parse_memory, quote, split_args, to_bytes
from tests.servers import Peer, free_port

FACTS = json.loads((Path(__file__).parent / "facts" / "config.json").read_text())


def find_redis_7_0():
    """The redis-server on PATH, if its texts and parameters are those of 7.0, which are compared here."""
    path = shutil.which("redis-server")
    return path if path and (peer := Peer(path)).product == "redis" and peer.version[:2] == (7, 0) else None


REDIS_SERVER = find_redis_7_0()
needs_redis = pytest.mark.skipif(REDIS_SERVER is None, reason="no redis-server 7.0 is on PATH")


class RealServer:
    """A redis-server of the test's own; `error` is its stderr if it refused to start, else None.

    It listens where `extra` says: options put after `arguments`, before `last`.
    """

    def __init__(self, directory, *arguments, last=(), stdin=""):
        self.port = free_port()
        self.extra = ["--port", str(self.port), "--daemonize", "no"]
        self._process = subprocess.Popen(
            [REDIS_SERVER, *arguments, *self.extra, *last],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=directory,
        )
        self._process.stdin.write(stdin.encode())
        self._process.stdin.close()
        self._reader = hiredis.Reader(encoding="utf-8", errors="surrogateescape")
        self._socket = None
        self.error = None
        deadline = time.monotonic() + 10
        while self._socket is None and self.error is None:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self.port), 10)
            except OSError:
                if self._process.poll() is not None:
                    self.error = self._process.stderr.read().decode("utf-8", "surrogateescape")
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._socket:
            self._socket.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stderr.close()

    def __call__(self, *words):
        """The reply; an error as its text."""
        request = [f"*{len(words)}\r\n".encode()]
        for word in words:
            data = to_bytes(word)
            request += [f"${len(data)}\r\n".encode(), data, b"\r\n"]
        self._socket.sendall(b"".join(request))
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(65536))
        return str(reply) if isinstance(reply, hiredis.ReplyError) else reply

    def config(self, *patterns):
        flat = self("CONFIG", "GET", *patterns)
        return dict(zip(flat[::2], flat[1::2], strict=True))


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    """`dir` is the process's working directory: every test gets its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    if REDIS_SERVER is None:
        pytest.skip("no redis-server 7.0 is on PATH")
    with RealServer(tmp_path_factory.mktemp("real"), "--save", "", "--loglevel", "warning") as server:
        yield server


# The table.

LATER_VALUES = {"volatile-lrm", "allkeys-lrm", "json"}        # of Redis 8.6 and Valkey 9.1
KINDS = {"bool", "int", "memory", "octal", "enum", "string", "special"}
FLAGS = {
    "hidden": types.HIDDEN,
    "protected": types.PROTECTED,
    "sensitive": types.SENSITIVE,
    "deny_loading": types.DENY_LOADING,
    "volatile": types.VOLATILE,
}
# Valkey's name for a parameter that we have under Redis's name, and Redis's under Valkey's.
RENAMED = {"primaryauth": "masterauth", "primaryuser": "masteruser"}
# name -> (fact, why we have something else)
OTHERWISE = {("appendonly", "deny_loading"): "Redis 7 and Valkey 8 deny it while loading; only Redis 8 does not"}


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["name"])
def test_table_has_the_facts(fact):
    name = fact["name"]
    config = Config()
    parameter = config.parameter(name)
    assert parameter.name == RENAMED.get(name, name)
    assert parameter.kind == fact["type"] and parameter.kind in KINDS
    if name != "dir":
        assert config.text(name) == str(fact["default"] if parameter.kind != "octal" else f"{fact['default']:o}")
    assert bool(parameter.flags & types.IMMUTABLE) == (not fact["runtime"])
    for key, flag in FLAGS.items():
        if (name, key) not in OTHERWISE:
            assert bool(parameter.flags & flag) == bool(fact.get(key)), key
    assert parameter.multi_arg == bool(fact.get("multi_arg"))
    if "min" in fact:
        assert (parameter.low, parameter.high) == (fact["min"], fact["max"])
    if "values" in fact:
        assert [value for value in parameter.values if value not in LATER_VALUES] == fact["values"]
    if fact["type"] == "string":
        assert (parameter.default is None) == bool(fact.get("empty_is_null"))
    if fact.get("alias"):
        assert config.parameter(fact["alias"]) is parameter


# What the facts do not have: settings of Redis 8.6 and Valkey 8.1, and our own.
LATER = {"import-mode", "stream-idmp-duration", "stream-idmp-maxsize", "metrics-bind", "metrics-max-link-down",
         "metrics-port", "commandlog-request-larger-than", "commandlog-large-request-max-len",
         "commandlog-reply-larger-than", "commandlog-large-reply-max-len"}
LATER_ALIASES = {"commandlog-execution-slower-than", "commandlog-slow-execution-max-len"}


def test_table_is_sorted_and_has_nothing_else():
    names = [parameter.name for parameter in PARAMETERS]
    assert names == sorted(names)
    assert {*names, *RENAMED} == {fact["name"] for fact in FACTS} | LATER


def test_default_values_survive_their_own_text():
    config = Config()
    for parameter in PARAMETERS:
        if parameter.name in ("dir", "replicaof"):
            continue
        text = config.text(parameter.name)
        args = text.split(" ") if parameter.multi_arg else [text]
        assert parameter.parse(args, config) == parameter.default, parameter.name


# CONFIG GET.

HIDDEN_IN_7_0 = {"aof-disable-auto-gc"}  # visible there, hidden since 7.2
DIFFERENT_VALUES = {"maxclients": "lowered to what the process may open"}


@needs_redis
def test_get_all_answers_what_redis_answers(tmp_path, real):
    config = Config()
    config.load(options=f'port {real.port}\nsave ""\nloglevel warning')
    config.set_value("dir", Folder(real.config("dir")["dir"]))
    theirs, ours = real.config("*"), config.glob(["*"])
    since_7_0 = {fact["name"] for fact in FACTS if "redis-7.0" not in fact["in"]}
    renamed_since = {fact["name"] for fact in FACTS if "name_in_7.0" in fact.get("differs", {}).get("redis-7.0", {})}
    assert set(theirs) - set(ours) == HIDDEN_IN_7_0
    assert set(ours) - set(theirs) <= since_7_0 | renamed_since | LATER | LATER_ALIASES
    differing = {name for name in theirs if name in ours and theirs[name] != ours[name]}
    assert differing <= set(DIFFERENT_VALUES)


PATTERN_LISTS = [
    "hz",
    "HZ hz",
    "Hz *hz HZ",
    "*hz Hz",
    "watchdog*",
    "watchdog-period",
    "nosuch",
    "[",
    "h[yz]",
    "h[^z]",
    "h[z-a]",
    r"h\z",
    r"h[\z]",
    "h?",
    "h[z",
    "maxmem*",
    "*slave*",
    "slave-priority replica-priority SLAVE-PRIORITY",
    "*-PRIORITY slave-priority",
    "hash-max-*-entries",
    "lua-time-limit masterauth",
]


@needs_redis
@pytest.mark.parametrize("patterns", PATTERN_LISTS)
def test_get_finds_the_same_names(patterns, real):
    # The order is not compared: Redis's is that of a hash table with a random seed.
    assert sorted(Config().glob(patterns.split())) == sorted(real.config(*patterns.split()))


def test_typed_values():
    config = Config()
    assert config.maxmemory_policy == config["maxmemory-policy"] == config.get("maxmemory-policy") == "noeviction"
    assert config.save[1] == (300, 100) and config.save[1].seconds == 300
    assert config.client_output_buffer_limit["pubsub"].soft_seconds == 60
    assert config.requirepass is None and config.aclfile == ""
    assert config.slave_priority == 100 and config.primaryauth is None
    with pytest.raises(AttributeError):
        _ = config.no_such_parameter


# CONFIG SET. Rows of pairs; the reply and then the value must be the real server's.

SETTINGS = """
hz abc | hz -1 | hz 01 | hz ' 1' | hz +1 | hz '1 2' | hz '' | hz 1000 | hz 0 | HZ abc | hz 9223372036854775808
hz 9223372036854775807 | nosuch 1 | nosuch 1 hz abc | hz 10 nosuch 1 | hz 10 hz 20 | hz 10 HZ 20 | include x | '' x
daemonize yes | daemonize yes nosuch 2 | dir /tmp | dbfilename x | appendonly yes dir /tmp | DIR /tmp
maxmemory foo | maxmemory 10mb | maxmemory -1 | maxmemory '' | maxmemory kb | maxmemory 99999999999999999999
maxmemory 17179869184gb | maxmemory 1.5gb | maxmemory 5B | maxmemory 3Gb | maxmemory 7k | maxmemory 0
maxmemory-clients 5% | maxmemory-clients 101% | maxmemory-clients foo | maxmemory-clients % | maxmemory-clients -5%
maxmemory-clients 0% | maxmemory-clients 9223372036854775808 | maxmemory-clients 18446744073709551600
maxmemory-clients 1mb | maxmemory-clients -5
client-query-buffer-limit 10 | client-query-buffer-limit 18446744073709551615 | client-query-buffer-limit 2mb
proto-max-bulk-len 10 | proto-max-bulk-len 18446744073709551615
maxmemory-policy foo | maxmemory-policy ALLKEYS-LRU | maxmemory-policy '' | maxmemory-policy noeviction
appendonly maybe | activedefrag yes | activedefrag NO | latency-tracking YES
save '10 20 30' | save '0 1' | save '10 20  30 40' | save ' 10 20' | save '10 20' | save '10 +20' | save '10 -0'
save '99999999999999999999 99999999999' | save '1 -1' | save ' ' | save '3600 1 300 100' | save ''
oom-score-adj-values '1 2' | oom-score-adj-values '1 2 3' | oom-score-adj-values '1 2 3001'
oom-score-adj-values '1 2 a' | oom-score-adj-values '' | oom-score-adj-values '3 2 1'
oom-score-adj foo | oom-score-adj relative | oom-score-adj no
client-output-buffer-limit 'normal 1mb 2kb 3' | client-output-buffer-limit 'replica 1mb 2kb 3 slave 4 5 6'
client-output-buffer-limit 'normal 1mb 2kb' | client-output-buffer-limit 'master 1mb 2kb 3'
client-output-buffer-limit 'foo 1mb 2kb 3' | client-output-buffer-limit 'NORMAL 1mb 2kb x'
client-output-buffer-limit 'normal 1xb 2kb 3' | client-output-buffer-limit 'normal 1 2 -3'
client-output-buffer-limit 'NORMAL 1 2 3' | client-output-buffer-limit '' | client-output-buffer-limit 'normal  1 2 3'
client-output-buffer-limit 'pubsub 1 2 9 normal 1 2 x'
notify-keyspace-events KEA | notify-keyspace-events mKEtdnxzhslg$ | notify-keyspace-events 'EKg$lshzxetd'
notify-keyspace-events AnKE | notify-keyspace-events AmnKE | notify-keyspace-events KEq | notify-keyspace-events 'K E'
notify-keyspace-events n | notify-keyspace-events ''
latency-tracking-info-percentiles '50 99 99.9 100' | latency-tracking-info-percentiles '50 101'
latency-tracking-info-percentiles x | latency-tracking-info-percentiles '1e1 0x10 .5 5.'
latency-tracking-info-percentiles '' | latency-tracking-info-percentiles 0.00000001
latency-tracking-info-percentiles nan | latency-tracking-info-percentiles inf | latency-tracking-info-percentiles -1
latency-tracking-info-percentiles '1  2' | latency-tracking-info-percentiles 1_0
latency-tracking-info-percentiles '50 99 99.9'
shutdown-on-sigterm 'save nosave' | shutdown-on-sigterm 'save now' | shutdown-on-sigterm 'force save now'
shutdown-on-sigterm 'default now' | shutdown-on-sigterm '' | shutdown-on-sigterm foo | shutdown-on-sigterm default
unixsocketperm 700 | replicaof 'a 1' | slaveof 'a 1'
proc-title-template '' | proc-title-template {foo} | proc-title-template '{title' | proc-title-template '{'
proc-title-template '{title} {listen-addr} {{x}}' | proc-title-template ' {server-mode} '
proc-title-template '{port} {tls-port} {unixsocket} {config-file}'
cluster-announce-hostname foo_bar | cluster-announce-hostname foo.bar | cluster-announce-hostname ''
port 99999 | port abc | latency-monitor-threshold 1kb | slave-priority abc | slave-priority 10 replica-priority 20
replica-priority 10 slave-priority 20 | lua-time-limit 12 | hash-max-ziplist-entries 7
maxclients 0 | maxclients 5000000000 | maxclients -1 | maxclients 100
repl-backlog-size 0 | repl-backlog-size 20kb | auto-aof-rewrite-min-size 18446744073709551615
loading-process-events-interval-bytes 5 | loading-process-events-interval-bytes 5kb | list-max-listpack-size -5
slowlog-log-slower-than -2 | slowlog-max-len -1 | slowlog-max-len 9223372036854775808 | set-max-intset-entries -1
acl-pubsub-default allchannels | repl-diskless-load foo | sanitize-dump-payload foo | hz 99 maxmemory bad
hz 99 maxmemory 1mb | hz -1 maxmemory bad | cluster-node-timeout 9223372036854775807
"""
ROWS = [row.strip() for line in SETTINGS.strip().split("\n") for row in line.split("|")]
SERVER_TRIED = "bind '999.999.9.9'"


@needs_redis
def test_set_replies_what_redis_replies(real):
    """One server and one Config go through all rows, so what a row leaves behind is compared, too."""
    config = Config()
    maxclients = real.config("maxclients")["maxclients"]
    config.load(options=f'port {real.port}\nsave ""\nloglevel warning\nmaxclients {maxclients}')
    for row in ROWS:
        words = shlex.split(row)
        try:
            config.set_many(list(zip(words[::2], words[1::2], strict=True)))
            reply = "OK"
        except ConfigError as error:
            reply = str(error)
            for value in LATER_VALUES:
                reply = reply.replace(f"{value}, ", "")
        assert reply == real("CONFIG", "SET", *words), row
        names = [name for name in words[::2] if name and not any(char in name for char in "*?[")]
        if names and names[0].lower() != "dir":
            assert config.glob(names) | {"dir": ""} == real.config(*names) | {"dir": ""}, row


def refused(config, *words, **circumstances):
    with pytest.raises(ConfigError) as refusal:
        config.set_many(list(zip(words[::2], words[1::2], strict=True)), **circumstances)
    return str(refusal.value)


VALKEY_ERRORS = {
    ("cluster-announce-client-ipv4", "1.2.3"): "Invalid IPv4 address",
    ("cluster-announce-client-ipv6", "1.2.3.4"): "Invalid IPv6 address",
    ("cluster-announce-human-nodename", "a;b"): "Announced human node name contained invalid character",
    ("cluster-announce-hostname", "a" * 256): "Hostnames must be less than 256 characters",
}


@pytest.mark.parametrize("name, value", VALKEY_ERRORS)
def test_set_of_what_redis_7_0_does_not_know(name, value):
    config = Config()
    text = refused(config, name, value)
    assert text == f"ERR CONFIG SET failed (possibly related to argument '{name}') - {VALKEY_ERRORS[name, value]}"
    config.set_many([(name, "")])
    assert config[name] is None


def test_set_while_loading_and_from_afar(tmp_path):
    config = Config()
    assert refused(config, "appendonly", "yes", loading="LOADING it all") == "LOADING it all"
    config.load(options="enable-protected-configs local")
    assert "protected" in refused(config, "dbfilename", "x")
    config.set_many([("dbfilename", "x"), ("dir", str(tmp_path))], local=True)
    assert config.dbfilename == "x" and str(tmp_path) == config.dir.path == config.text("dir")


def test_set_restores_dir_when_a_later_pair_fails(tmp_path):
    config = Config()
    config.load(options="enable-protected-configs yes")
    (tmp_path / "below").mkdir()
    text = refused(config, "dir", str(tmp_path / "below"), "hz", "x")
    assert text.endswith("'hz') - argument couldn't be parsed into an integer")
    assert config.dir.path == str(tmp_path)
    assert refused(config, "dir", "/nonexistent").endswith("'dir') - No such file or directory")


def test_appliers_run_once_and_again_after_a_refusal():
    config = Config()
    warnings, calls = [], []
    config.warn = warnings.append

    def listen(config):
        calls.append(("listen", config.port, config.bind))
        if config.port == 1:
            raise ConfigError("Unable to listen on this port. Check server logs.")

    config.on_change("maxmemory", lambda config: calls.append(("memory", config.maxmemory)))
    config.on_change("port", listen)
    config.on_change("bind", listen)
    config.set_many([("port", "7"), ("bind", "a b"), ("maxmemory", "0")])
    assert calls == [("listen", 7, ("a", "b"))], "an unchanged value applies nothing"
    calls.clear()
    text = refused(config, "maxmemory", "5", "PORT", "1", "bind", "c")
    assert text == (
        "ERR CONFIG SET failed (possibly related to argument 'port') - "
        "Unable to listen on this port. Check server logs."
    )
    old = ("listen", 7, ("a", "b"))
    assert calls == [("memory", 5), ("listen", 1, ("c",)), ("memory", 0), old]
    assert (config.port, config.bind, config.maxmemory) == (7, ("a", "b"), 0)
    assert warnings == [
        "Failed applying new configuration. Possibly related to new port setting. Restoring previous settings."
    ]


def test_volatile_parameters_apply_though_equal():
    config = Config((*PARAMETERS, types.String("x-file", None, types.VOLATILE)))
    calls = []
    config.on_change("x-file", lambda config: calls.append(config.x_file))
    for _ in range(2):
        config.set_many([("x-file", "a.pem")])
    assert calls == ["a.pem", "a.pem"]


def test_sensitive_names():
    config = Config()
    assert config.is_sensitive("REQUIREPASS") and config.is_sensitive("primaryauth")
    assert not config.is_sensitive("hz") and not config.is_sensitive("nosuch")


# Files. Rows: the file's text and the names whose values are compared if the server starts.

FILES = {
    "not a memory value": ("maxmemory foo", ""),
    "blanks are trimmed": ("\n\n  maxmemory   foo  ", ""),
    "unknown directive": ("nosuch 1", ""),
    "no value": ("hz", ""),
    "two values": ("hz 1 2", ""),
    "open quote": ('foo "bar', ""),
    "text after a quote": ('foo "bar"x', ""),
    "names in capitals": ("HZ abc", ""),
    "empty value": ('hz ""', ""),
    "empty name": ('"" x', ""),
    "user without name": ("user", ""),
    "rename-command without names": ("rename-command", ""),
    "sentinel directive": ("sentinel monitor x", ""),
    "sentinel alone": ("sentinel", "hz"),
    "module parameter without value": ("foo.bar", ""),
    "deprecated directive": ("list-max-ziplist-entries 5\nlua-replicate-commands yes", "hz"),
    "deprecated directive without value": ("list-max-ziplist-entries", ""),
    "log file in no directory": ("logfile /nonexistent/x", ""),
    "replicaof without port": ("replicaof a", ""),
    "replicaof with a bad port": ("replicaof a b", ""),
    "replicaof with a huge port": ("replicaof a 65536", ""),
    "replicaof no one": ("replicaof no one", "replicaof slaveof"),
    "one save number": ("save 1", ""),
    "odd save numbers": ("save 1 2 3", ""),
    "save points add up": ("save 1 2\nsave 3 4", "save"),
    "save in one word": ('save "1 2 3 4"', "save"),
    "save in two words": ('save "1 2" "3 4"', ""),
    "empty save starts over": ('save 1 2\nsave ""\nsave 3 4', "save"),
    "save alone adds nothing": ('save ""\nsave 1 2\nsave', "save"),
    "buffer limit too short": ("client-output-buffer-limit normal 1 2", ""),
    "buffer limits one by one": (
        "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit 'replica 1mb 2 3'",
        "client-output-buffer-limit",
    ),
    "dir is missing": ("dir /nonexistent", ""),
    "dir is empty": ('dir ""', ""),
    "dir without value": ("dir", ""),
    "dbfilename with a path": ("dbfilename a/b", ""),
    "dbfilename is empty": ('dbfilename ""', "dbfilename"),
    "appendfilename is empty": ('appendfilename ""', ""),
    "appenddirname with a path": ("appenddirname a/b", ""),
    "notify without value": ("notify-keyspace-events", ""),
    "notify with a bad letter": ("notify-keyspace-events q", ""),
    "octal with a 9": ("unixsocketperm 999", ""),
    "octal out of range": ("unixsocketperm 1000", ""),
    "octal below range": ("unixsocketperm -1", ""),
    "octal too long": ("unixsocketperm 077777777777777777777777777", ""),
    "octal": ("unixsocketperm 0770", "unixsocketperm"),
    "io-threads": ("io-threads 0", ""),
    "oom values": ("oom-score-adj-values 1 2", ""),
    "shutdown without value": ("shutdown-on-sigterm", ""),
    "shutdown in one word": ('shutdown-on-sigterm "save nosave"', ""),
    "shutdown in words": ("shutdown-on-sigterm now save", "shutdown-on-sigterm"),
    "bad enum": ("supervised x", ""),
    "percentiles without value": ("latency-tracking-info-percentiles", "latency-tracking-info-percentiles"),
    "slaveof without value": ("slaveof", ""),
    "include of two": ("include a b", ""),
    "include of nothing": ("include", ""),
    "include of no match": ("include nosuch*.conf\nhz 77", "hz"),
    "tabs, CRLF and comments": ("hz\t20\r\n# x\r\n\t# y\r\nmaxmemory 5\r\n", "hz maxmemory"),
    "a comment after a value": ("maxmemory 5 # x", ""),
    "a vertical tab is no blank in a word": ("maxmemory\v5", ""),
    "double quotes": (r'dbfilename "x\x41\n\"\q"', "dbfilename"),
    "single quotes": (r"requirepass 'x\x41\''", "requirepass"),
    "quotes inside a word": ("dbfilename ab'c d'", "dbfilename"),
    "hz is clamped": ("hz 100000", "hz"),
    "aliases": ("slave-priority 5\nlua-time-limit 6", "replica-priority busy-reply-threshold"),
}


def our_error(file, options="", stdin=None):
    """Load and return the error as the command prints it, without the line that redis-server has not."""
    from fastredis.cli import fatal_text

    config = Config()
    try:
        config.load(file, stdin, options)
    except FatalConfigError as error:
        return config, "\n".join(line for line in fatal_text(error).split("\n") if not line.startswith("File: "))
    return config, None


def theirs_as_ours(text):
    from fastredis import REDIS_VERSION

    head, _, rest = text.partition("(Redis ")
    return f"{head}(Redis {REDIS_VERSION}{rest[rest.index(')'):]}" if rest else text


@needs_redis
@pytest.mark.parametrize("case", FILES)
def test_files_are_read_as_redis_reads_them(case, tmp_path):
    text, names = FILES[case]
    (tmp_path / "redis.conf").write_bytes(text.encode())
    config, error = our_error(str(tmp_path / "redis.conf"))
    with RealServer(tmp_path, str(tmp_path / "redis.conf")) as server:
        if server.error is not None:
            assert server.error, "redis-server stopped for another reason than its settings"
            assert error == theirs_as_ours(server.error)
            assert not names
            return
        assert error is None
        # A password keeps others out: the values are then read after AUTH.
        if config.requirepass:
            server("AUTH", config.requirepass)
        assert config.glob(names.split()) == server.config(*names.split())
        assert names


def fatal(text, tmp_path, name="redis.conf"):
    (tmp_path / name).write_text(text)
    with pytest.raises(FatalConfigError) as refusal:
        Config().load(str(tmp_path / name))
    return refusal.value


def test_errors_name_file_line_and_directive(tmp_path):
    (tmp_path / "deep.conf").write_text("hz 10\nmaxclients foo\n")
    error = fatal(f"hz 20\n\ninclude {tmp_path}/deep.conf\n", tmp_path)
    assert (error.file, error.line_number, error.file_line) == (f"{tmp_path}/deep.conf", 2, 2)
    assert error.line_text == "maxclients foo" and error.reason == "argument couldn't be parsed into an integer"


def test_included_files_are_counted_as_one_but_named(tmp_path):
    (tmp_path / "a.inc").write_text("hz 10\n")
    (tmp_path / "b.inc").write_text("# b\nhz x\n")
    error = fatal(f"include {tmp_path}/*.inc\n", tmp_path)
    assert (error.file, error.line_number, error.file_line) == (f"{tmp_path}/b.inc", 3, 2)


def test_command_line_errors_name_no_file(tmp_path):
    (tmp_path / "redis.conf").write_text("hz 10\n")
    with pytest.raises(FatalConfigError) as refusal:
        Config().load(str(tmp_path / "redis.conf"), options="port 1\nhz x")
    assert (refusal.value.file, refusal.value.line_number) == (None, 4)


def test_unreadable_files(tmp_path):
    with pytest.raises(UnreadableConfigError) as refusal:
        Config().load("/nonexistent.conf")
    assert str(refusal.value) == "Fatal error, can't open config file '/nonexistent.conf': No such file or directory"
    error = fatal("hz 10\ninclude /nonexistent.conf\n", tmp_path)
    assert isinstance(error, UnreadableConfigError)
    assert (error.line_number, error.line_text) == (2, "include /nonexistent.conf")


def test_a_file_that_includes_itself_is_refused(tmp_path):
    error = fatal(f"include {tmp_path}/redis.conf\n", tmp_path)
    assert error.reason == "Too many nested includes"


def test_included_values_and_order(tmp_path):
    (tmp_path / "deep.conf").write_text("hz 30\nsave 5 5\n")
    (tmp_path / "redis.conf").write_text(f"hz 20\nsave 1 1\ninclude {tmp_path}/dee*.conf\nsave 9 9\nmaxmemory 1mb\n")
    config = Config()
    config.load(str(tmp_path / "redis.conf"), stdin="maxmemory 2mb\nhz 31", options="hz 32")
    assert (config.hz, config.maxmemory, config.text("save")) == (32, 2 << 20, "1 1 5 5 9 9")


def test_directives_for_others_are_kept(tmp_path):
    (tmp_path / "redis.conf").write_text('hz 10\nrename-command FLUSHALL ""\n')
    config = Config()
    config.load(str(tmp_path / "redis.conf"))
    assert [directive.argv for directive in config.renamed_commands] == [["rename-command", "FLUSHALL", ""]]
    error = config.renamed_commands[0].fatal("No such command in rename-command")
    assert (error.line_number, error.file) == (2, str(tmp_path / "redis.conf"))
    assert "no module system" in fatal("loadmodule /x.so", tmp_path).reason


# CONFIG REWRITE.

REWRITES = {
    "comments and order stay": ("# head\n\nhz 20\n# tail\nmaxmemory 1mb\n", ["hz 30", "maxmemory 3072"]),
    "a default is kept if it was there": ("hz 20\n", ["hz 10"]),
    "new ones are appended": ("hz 20\n", ["maxmemory 1gb", "maxmemory-policy allkeys-lru", "tcp-keepalive 1"]),
    "no second signature": ("# Generated by CONFIG REWRITE\nhz 20\n", ["maxmemory 5"]),
    "doubled lines are blanked": ("hz 20\nhz 30\n\n\n\nmaxmemory 5\nhz 40\n", []),
    "save lines": ("save 1 1\nsave 2 2\n", ["save '10 10 20 20'"]),
    "empty save": ("save 1 1\n", ["save ''"]),
    "strings are quoted": ('dbfilename "a b"\n', ["requirepass ''", "cluster-announce-ip 'a\"b\\c d\té'"]),
    "unset strings vanish": ("masterauth x\nhz 20\n", ["masterauth ''"]),
    "an alias gets its new name": ("slave-priority 5\nlua-time-limit 6\n", ["slave-priority 7"]),
    "buffer limits": (
        "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit slave 4mb 5kb 6\n",
        ["client-output-buffer-limit 'pubsub 1gb 1 1'"],
    ),
    "special values": (
        "notify-keyspace-events KEA\noom-score-adj-values 1 2 3\nlatency-tracking-info-percentiles 50 1.5\n",
        ["latency-tracking-info-percentiles ''", "shutdown-on-sigterm 'now save'", "oom-score-adj relative"],
    ),
    "events": ("hz 20\n", ["notify-keyspace-events Kx$", "maxmemory-clients 5%", "oom-score-adj-values '4 5 6'"]),
    "percent gone": ("maxmemory-clients 7%\nunixsocketperm 0700\n", ["maxmemory-clients 1mb"]),
    "an include stays": ("include nosuch*.conf\nhz 20\n", ["hz 30"]),
    "a deprecated line": ("list-max-ziplist-entries 5\nhz 20\n", ["hz 30"]),
    "a renamed command": ("rename-command GET FETCH\n", ["hz 30"]),
    "no newline at the end": ("hz 20", ["maxmemory 5"]),
    "blanks": ("  hz   20  \r\n\t# x\r\n", []),
    "bind of its default": ("bind * -::*\n", []),
    "bind": ("bind 127.0.0.1\n", []),
}


def sections(text):
    """The lines before the signature in order, and those after it sorted: Redis appends in random order."""
    head, signature, tail = text.partition("# Generated by CONFIG REWRITE\n")
    return head, signature, sorted(tail.split("\n"))


@needs_redis
@pytest.mark.parametrize("case", REWRITES)
def test_rewrite_leaves_what_redis_leaves(case, tmp_path):
    text, settings = REWRITES[case]
    pairs = [tuple(shlex.split(setting)) for setting in settings]
    for side in ("ours", "theirs"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "redis.conf").write_text(text)
    with RealServer(tmp_path / "theirs", "redis.conf") as server:
        assert server.error is None
        password = server.config("requirepass")["requirepass"]
        assert password == ""
        for name, value in pairs:
            assert server("CONFIG", "SET", name, value) == "OK"
        assert server("CONFIG", "REWRITE") == "OK"
        port = server.port
    os.chdir(tmp_path / "ours")
    config = Config()
    config.load("redis.conf", options=f"port {port}\ndaemonize no")
    config.set_many(pairs)
    config.rewrite()
    theirs = (tmp_path / "theirs" / "redis.conf").read_text().replace(f"{tmp_path}/theirs", f"{tmp_path}/ours")
    theirs = theirs.replace("user default on nopass ~* &* +@all\n", "")
    assert sections((tmp_path / "ours" / "redis.conf").read_text()) == sections(theirs)


def test_rewritten_file_reads_back(tmp_path):
    path = tmp_path / "redis.conf"
    path.write_text("hz 20\n")
    config = Config()
    config.load(str(path))
    config.set_many([("save", "5 6"), ("requirepass", 'x "\\ \n\udcff'), ("maxmemory-clients", "5%")])
    config.rewrite()
    again = Config()
    again.load(str(path))
    assert again.glob(["*"]) == config.glob(["*"])
    assert sorted(os.listdir(tmp_path)) == ["redis.conf"]
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_rewrite_writes_the_users_it_is_told(tmp_path):
    path = tmp_path / "redis.conf"
    path.write_text("hz 20\nuser default on nopass ~* &* +@all\nuser gone on\n")
    config = Config()
    config.load(str(path))
    assert [directive.argv[1] for directive in config.user_directives] == ["default", "gone"]
    config.user_lines = lambda: ["user default on", "user new off"]
    config.rewrite()
    assert re.findall("^user.*", path.read_text(), re.MULTILINE) == ["user default on", "user new off"]
    config.user_lines = list
    config.rewrite()
    assert not re.findall("^user", path.read_text(), re.MULTILINE)


def test_rewrite_errors(tmp_path):
    with pytest.raises(ConfigError) as refusal:
        Config().rewrite()
    assert str(refusal.value) == "ERR The server is running without a config file"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "redis.conf").write_text("hz 20\n")
    config = Config()
    config.load(str(tmp_path / "below" / "redis.conf"))
    shutil.rmtree(tmp_path / "below")
    with pytest.raises(ConfigError) as refusal:
        config.rewrite()
    assert str(refusal.value) == "ERR Rewriting config file: No such file or directory"


# Words and patterns.

some_text = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


@given(st.lists(some_text, max_size=5))
@example(["", "a b", '"', "\\x41", "é", "\n"])
def test_quoted_words_come_back(words):
    assert split_args(" ".join(quote(word) for word in words)) == words


@given(st.text(alphabet="ab\"'\\ \t\nx4\v", max_size=30))
def test_split_never_fails_otherwise(line):
    words = split_args(line)
    assert words is None or all(isinstance(word, str) for word in words)


@needs_redis
def test_split_as_redis_splits(real):
    """The same lines as inline commands, which the server splits by the same rules."""
    lines = [
        r'ECHO "a\x41\n\q"',
        r"ECHO 'a\x41\''",
        "ECHO a'b c'",
        'ECHO ab"c d"',
        'ECHO "" ',
        '  ECHO\t"x"',
        'ECHO "a"b',
        'ECHO "a',
        "ECHO 'a",
        r'ECHO "\xzz"',
        r'ECHO "\"',
        "ECHO a\vb",
    ]
    for line in lines:
        with socket.create_connection(("127.0.0.1", real.port), 10) as channel:
            channel.sendall(line.encode() + b"\r\n")
            reader = hiredis.Reader(encoding="utf-8")
            while (reply := reader.gets()) is False:
                reader.feed(channel.recv(4096))
        words = split_args(line)
        if words is None:
            assert "unbalanced quotes" in str(reply), line
        else:
            assert words == ["ECHO", reply], line


@given(st.text(alphabet="ab*?[]^-\\", max_size=12), st.text(alphabet="abAB*-\\]", max_size=6))
def test_every_glob_pattern_compiles(pattern, text):
    glob_regex(pattern).fullmatch(text)


def test_memory_units():
    assert [parse_memory(text) for text in ("1", "1k", "1KB", "2m", "2MB", "1g", "1Gb", "1b", "b", "")] == [
        1, 1000, 1024, 2_000_000, 2 << 20, 10**9, 1 << 30, 1, 0, 0,
    ]  # fmt: skip
    assert [parse_memory(text) for text in ("-1", "1t", "1 k", "1.5g", "k1", "9" * 128)] == [None] * 6
