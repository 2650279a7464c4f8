"""Streams to and from real servers: DUMP, files, AOF, and live replication, compared to the last pending entry."""
import shutil
from pathlib import Path

import pytest

from tests.conftest import NEWER, NO_NEWER
from tests.helpers import wait_until
from tests.persist.dataset import STREAMS, TOLD, content, stream_state
from tests.replication.test_replica import follow, is_up
from tests.resp import Error
from tests.rows import OK
from tests.servers import fastredis_server, peer_server

QUICK = ("--repl-diskless-sync-delay", "0")
# What happens to them then, on whichever is the master.
LIVE = """\
XADD stream:big * f v g w
XADD stream:big NOMKSTREAM MAXLEN ~ 150 * f v g w
XREADGROUP GROUP g three COUNT 20 STREAMS stream:big >
XREADGROUP GROUP g four NOACK COUNT 3 STREAMS stream:big >
XACK stream:big g 10-1 11-2 300-0
XCLAIM stream:big g four 0 12-0 13-1 14-2 RETRYCOUNT 7
XCLAIM stream:big g one 0 15-0 IDLE 90000 JUSTID
XAUTOCLAIM stream:big g two 0 20-0 COUNT 4
XDEL stream:big 299-2
XAUTOCLAIM stream:big g two 0 - COUNT 100
XGROUP SETID stream:big h 200-0
XREADGROUP GROUP h idle COUNT 5 STREAMS stream:big >
XGROUP DELCONSUMER stream:big g three
XGROUP CREATE fresh f $ MKSTREAM
XADD fresh 7-* a b
XSETID stream:small 99-9
XTRIM stream:small MAXLEN 0
XGROUP DESTROY fresh f
XGROUP CREATE stream:small k 0 ENTRIESREAD 1
MULTI
XADD fresh 8-* a b
XADD fresh 8-* a c
EXEC"""


@pytest.fixture(params=["peer", "redis", "valkey"])
def other(request):
    """Each of the real servers in turn."""
    if request.param == "peer":
        return request.getfixturevalue("peer")
    if request.param not in request.config.stash[NEWER]:
        pytest.skip(NO_NEWER.format(request.param))
    return request.config.stash[NEWER][request.param]


def run(client, commands):
    for command in commands:
        reply = client.call(*command)
        assert not isinstance(reply, Error), (command, reply)


def live(client):
    run(client, [line.split() for line in LIVE.splitlines()])


@pytest.mark.parametrize("ours_is", ["master", "replica"])
def test_live(fresh_server, other, ours_is):
    ours = fresh_server(*QUICK)
    with peer_server(other.path, *QUICK) as theirs, ours.client() as one, theirs.client() as two:
        master, upper, lower = (ours, one, two) if ours_is == "master" else (theirs, two, one)
        run(upper, STREAMS)
        follow(lower, master.port)
        wait_until(lambda: is_up(lower))
        assert content(lower) == content(upper)
        live(upper)
        with master.client() as waiting:
            waiting.send("XREADGROUP", "GROUP", "g", "late", "BLOCK", 0, "STREAMS", "stream:big", ">")
            upper.call("XADD", "stream:big", "*", "f", "last")
            assert not isinstance(waiting.read(), Error)
        upper.call("SET", "end", 1)
        wait_until(lambda: lower.call("GET", "end") == b"1")
        assert content(lower) == content(upper)


@pytest.mark.parametrize("ours_is", ["source", "target"])
def test_dump(fresh_server, other, ours_is):
    with peer_server(other.path) as theirs, fresh_server().client() as one, theirs.client() as two:
        source, target = (one, two) if ours_is == "source" else (two, one)
        run(source, STREAMS)
        live(source)
        for key in source.call("KEYS", "*"):
            payload = source.call("DUMP", key)
            assert target.call("RESTORE", key, 0, payload) == OK
        told = TOLD | {b"entries-read"}
        assert {key: stream_state(target, key, told) for key in source.call("KEYS", "*")} == {
            key: stream_state(source, key, told) for key in source.call("KEYS", "*")}


def start(kind, other, directory, *options):
    if kind == "ours":
        return fastredis_server("--dir", str(directory), *options)
    return peer_server(other.path, "--dir", str(directory), *options)


AOF = ("--appendonly", "yes", "--aof-use-rdb-preamble")
FORMS = {"rdb": ("--save", ""), "aof": (*AOF, "yes"), "commands": (*AOF, "no")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("writer, reader", [("ours", "theirs"), ("theirs", "ours")])
def test_files(other, tmp_path, writer, reader, form):
    """Files that one has written are read by the other: an RDB file, an AOF, and one that has been rewritten."""
    with start(writer, other, tmp_path, *FORMS[form]) as server, server.client() as client:
        run(client, STREAMS)
        if form != "rdb":
            client.call("BGREWRITEAOF")
            wait_until(lambda: b"aof_rewrite_in_progress:0" in client.call("INFO", "persistence")
                       and b"aof_rewrite_scheduled:0" in client.call("INFO", "persistence")
                       and list(Path(tmp_path).glob("appendonlydir/*.2.base.*")))
        live(client)
        if form == "rdb":
            client.call("SAVE")
        expected = content(client)
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path, copy, ignore=lambda *_: ["copy"])
    with start(reader, other, copy, *FORMS[form]) as server, server.client() as client:
        wait_until(lambda: not isinstance(client.call("GET", "none"), Error))
        assert content(client) == expected
