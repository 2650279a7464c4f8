"""The declaration language, against the facts about Redis's commands and against a running redis-server."""

import json
import re
import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fastredis.engine.command import declared_commands
from fastredis.engine.flags import CONTAINER, MOVABLE_KEYS
from fastredis.engine.keys import KEY_FLAGS, KeySpecs
from fastredis.engine.reply import Status
from hypothesis import given
from hypothesis import strategies as st

from fastredis import commands
from fastredis.engine.arguments import ARGUMENT_TYPES, Argument, parse_args
from fastredis.engine.declarations import (
    FLAG_NAMES,
    Declaration,
    Index,
    KeyNum,
    KeySpec,
    Keyword,
    Range,
    acl_categories,
    docs,
    flag_names,
    info,
    key_after,
    key_at,
    key_count,
    key_flags,
    key_range,
    key_specs,
    key_unknown,
    legacy_range,
    movable,
)
from tests.argument_text import format_args

HERE = Path(__file__).parent
COMMANDS = json.loads((HERE / "facts" / "commands.json").read_text())
LATER = json.loads((HERE / "facts" / "commands-later.json").read_text())
commands.load()
FINDERS = {command.name.decode(): spec.finder for command in declared_commands()
           for spec in command.declaration.keys if spec.finder}
CONTAINERS = {row["container"] for row in COMMANDS if "container" in row}

# Categories that neither flags nor group imply; what a declaration gives as `acl`.
EXTRA_CATEGORIES = {
    "ASKING": ("connection",),
    "COMMAND": ("connection",),
    "DBSIZE": ("keyspace",),
    "FLUSHALL": ("keyspace", "dangerous"),
    "FLUSHDB": ("keyspace", "dangerous"),
    "INFO": ("dangerous",),
    "KEYS": ("dangerous",),
    "LASTSAVE": ("admin", "dangerous"),
    "MIGRATE": ("dangerous",),
    "READONLY": ("connection",),
    "READWRITE": ("connection",),
    "RESTORE": ("dangerous",),
    "RESTORE-ASKING": ("keyspace", "dangerous"),
    "ROLE": ("admin", "dangerous"),
    "SORT": ("set", "sortedset", "list", "dangerous"),
    "SORT_RO": ("set", "sortedset", "list", "dangerous"),
    "SWAPDB": ("keyspace", "dangerous"),
    "WAIT": ("connection",),
    "WAITAOF": ("connection",),
}


def argument_of(fact: dict) -> Argument:
    """An argument from its row in the facts."""
    flags = fact.get("flags", ())
    return Argument(
        name=fact["name"],
        type=fact["type"],
        token=fact.get("token"),
        display_text=fact.get("display"),
        key_spec_index=fact.get("key_spec_index"),
        since=fact.get("since"),
        deprecated_since=fact.get("deprecated_since"),
        optional="optional" in flags,
        multiple="multiple" in flags,
        multiple_token="multiple_token" in flags,
        arguments=tuple(argument_of(each) for each in fact.get("arguments", ())),
    )


def key_spec_of(fact: dict) -> KeySpec:
    """A key spec from its row in the facts."""
    kinds = {"index": Index, "keyword": Keyword, "range": Range, "keynum": KeyNum, "unknown": lambda: None}
    begin, find = dict(fact["begin_search"]), dict(fact["find_keys"])
    return KeySpec(tuple(fact["flags"]), kinds[begin.pop("type")](**begin), kinds[find.pop("type")](**find))


def flags_of(row: dict) -> int:
    flags = sum(flag for flag, name in FLAG_NAMES if name in row.get("flags", ()) and flag != MOVABLE_KEYS)
    return flags | (CONTAINER if row["name"] in CONTAINERS and not row.get("arguments") else 0)


def declaration_of(row: dict) -> Declaration:
    """A declaration that says what a row of the facts says; texts are stand-ins."""
    subcommands = [each for each in COMMANDS if each.get("container") == row["name"]]
    return Declaration(
        name=row["name"].lower().replace(" ", "|").encode(),
        group=row["group"],
        arity=row["arity"],
        flags=flags_of(row),
        keys=tuple(key_spec_of(spec) for spec in row.get("key_specs", ())),
        acl=EXTRA_CATEGORIES.get(row.get("container", row["name"]), ()),
        since=row["since"],
        summary="what it does",
        complexity="O(1)",
        args=format_args([argument_of(each) for each in row.get("arguments", ())]),
        tips=tuple(row.get("tips", ())),
        doc_flags=tuple(row.get("doc_flags", ())),
        deprecated_since=row.get("deprecated_since", ""),
        replaced_by="`OTHER`" if row.get("replaced_by") else "",
        subcommands={each["name"].encode(): declaration_of(each) for each in subcommands},
    )


def row_ids(row: dict) -> str:
    return row["name"].lower().replace(" ", "|")


# ---- Arguments ----


def key(name="key", index=0, **fields):
    return Argument(name, "key", key_spec_index=index, **fields)


def pure(token, **fields):
    return Argument(fields.pop("name", token.lower()), "pure-token", token, **fields)


TYPES = (pure("NORMAL"), pure("REPLICA", since="5.0.0"))

PARSED = {
    "": (),
    "key value": (key(), Argument("value")),
    "source:key destination:key": (key("source"), key("destination", 1)),
    "key:string": (Argument("key"),),
    "key#2 other:key": (key(index=2), key("other", 3)),
    "by-pattern<pattern>:pattern#1": (Argument("by-pattern", "pattern", display_text="pattern", key_spec_index=1),),
    "[GET@6.2.0]": (pure("GET", optional=True, since="6.2.0"),),
    "EX seconds:integer": (Argument("seconds", "integer", "EX"),),
    "old@2.0.0-2.8.12 older@-2.4": (
        Argument("old", since="2.0.0", deprecated_since="2.8.12"),
        Argument("older", deprecated_since="2.4"),
    ),
    "element...": (Argument("element", multiple=True),),
    "[ID client-id:integer@6.2.0...]": (
        Argument("client-id", "integer", "ID", since="6.2.0", optional=True, multiple=True),
    ),
    "[PREFIX... prefix]": (Argument("prefix", token="PREFIX", optional=True, multiple=True, multiple_token=True),),
    "NX...": (pure("NX", multiple=True),),
    "nx=NX key": (pure("NX"), key()),
    "NX [value]": (pure("NX"), Argument("value", optional=True)),
    'equal="=" empty-string=""': (pure("=", name="equal"), pure("", name="empty-string")),
    '"~" value': (Argument("value", token="~"),),
    "change=CH": (pure("CH", name="change"),),
    "TYPE client-type=(NORMAL | REPLICA@5.0.0)@2.8.12": (
        Argument("client-type", "oneof", "TYPE", since="2.8.12", arguments=TYPES),
    ),
    "data={key value}...": (Argument("data", "block", multiple=True, arguments=(key(), Argument("value"))),),
    "choice=(only)": (Argument("choice", "oneof", arguments=(Argument("only"),)),),
}


@pytest.mark.parametrize("text", PARSED)
def test_parse_args(text):
    assert parse_args(text) == PARSED[text]
    assert format_args(PARSED[text]) == text


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("key ]", 4),
        ("[key", 4),
        ("key:", 4),
        ("key:float", 9),
        ("key:oneof", 9),
        ("a=(b", 4),
        ("a=(b c)", 5),
        ("a=()", 3),
        ("a={b", 4),
        ("a=b", 2),
        ("EX a=NX", 5),
        ("a@-", 3),
        ("a#x", 2),
        ("a ... ...", 6),
        ("a %", 1),
        ('"open', 0),
        ("a | b", 2),
    ],
)
def test_parse_args_refuses(text, position):
    with pytest.raises(ValueError, match=f" at {position} of {re.escape(repr(text))}$"):
        parse_args(text)


def test_set_reads_like_its_documentation():
    [row] = [row for row in LATER if row["name"] == "SET" and "arguments" in row]
    assert format_args(argument_of(each) for each in row["arguments"]) == (
        "key value [condition=(NX | XX | IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0 | IFDEQ ifdeq-digest@8.4.0"
        " | IFDNE ifdne-digest@8.4.0)@2.6.12] [GET@6.2.0] [expiration=(EX seconds:integer@2.6.12"
        " | PX milliseconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0"
        " | PXAT unix-time-milliseconds:unix-time@6.2.0 | KEEPTTL@6.0.0)]"
    )


@pytest.mark.parametrize("row", [row for row in COMMANDS + LATER if "arguments" in row], ids=row_ids)
def test_arguments_of_the_facts_survive(row):
    arguments = tuple(argument_of(each) for each in row["arguments"])
    assert parse_args(format_args(arguments)) == arguments


names = st.builds(str.__add__, st.sampled_from("akz"), st.text("az09_-", max_size=4))
tokens = names.map(str.upper) | st.text("*~$= azAZ0|<@", max_size=3)
versions = st.sampled_from([None, "7", "6.2.0", "10.11"])


@st.composite
def arguments(draw, depth=2):
    """Any argument COMMAND DOCS can describe."""
    kind = draw(st.sampled_from(ARGUMENT_TYPES if depth else ARGUMENT_TYPES[:7]))
    token = draw(tokens) if kind == "pure-token" else draw(st.none() | tokens)
    fields = {"since": draw(versions), "deprecated_since": draw(versions), "optional": draw(st.booleans())}
    fields["multiple"] = draw(st.booleans())
    fields["multiple_token"] = fields["multiple"] and kind != "pure-token" and token is not None and draw(st.booleans())
    if kind in ("oneof", "block"):
        fields["arguments"] = tuple(draw(st.lists(arguments(depth - 1), min_size=kind == "oneof", max_size=3)))
    elif kind != "pure-token":
        fields["display_text"] = draw(st.none() | st.text("ab:/ |", max_size=5))
    if kind == "key":
        fields["key_spec_index"] = draw(st.integers(0, 3))
    elif kind == "pattern":
        fields["key_spec_index"] = draw(st.none() | st.integers(0, 3))
    # A pure token is often named after itself; a token of symbols cannot be.
    own_name = token.lower() if kind == "pure-token" and token[:1].isupper() and token.isascii() else "key"
    name = draw(names | st.just(own_name if re.fullmatch("[a-z][a-z0-9_-]*", own_name) else "key"))
    return Argument(name, kind, token, **fields)


@given(st.lists(arguments(), max_size=4))
def test_any_arguments_survive(described):
    assert parse_args(format_args(described)) == tuple(described)


# ---- Flags and categories ----


@pytest.mark.parametrize("row", COMMANDS, ids=row_ids)
def test_categories(row):
    extra = EXTRA_CATEGORIES.get(row.get("container", row["name"]), ())
    assert {f"@{name}" for name in acl_categories(flags_of(row), row["group"], extra)} == set(row["acl"])


@pytest.mark.parametrize("row", COMMANDS, ids=row_ids)
def test_flag_names(row):
    specs = declaration_of(row).keys
    assert set(flag_names(flags_of(row) | (MOVABLE_KEYS if movable(specs) else 0))) == set(row.get("flags", ()))


# ---- Key specs ----


@pytest.mark.parametrize("row", [row for row in COMMANDS if "key_specs" in row], ids=row_ids)
def test_legacy_range(row):
    specs = declaration_of(row).keys
    assert legacy_range(specs) == tuple(row.get(name, 0) for name in ("first_key", "last_key", "step"))
    assert movable(specs) == ("movablekeys" in row.get("flags", ()))


def test_legacy_range_joins_only_neighbours():
    assert legacy_range([key_at(1, "RO"), key_at(2, "RO")]) == (1, 2, 1)
    assert not movable([key_at(1, "RO"), key_at(2, "RO")])
    assert legacy_range([key_at(1, "RO"), key_at(3, "RO")]) == (1, 1, 1)
    assert movable([key_at(1, "RO"), key_at(3, "RO")])
    assert movable([key_at(1, "RO incomplete")])


def test_constructors():
    assert key_at(1, "RO access") == KeySpec(("RO", "access"), Index(1), Range(0, 1, 0))
    assert key_range(1, -1, 2, "OW update") == KeySpec(("OW", "update"), Index(1), Range(-1, 2, 0))
    assert key_count(1, "OW", keystep=2) == KeySpec(("OW",), Index(1), KeyNum(0, 1, 2))
    assert key_after("STORE", 5, "OW") == KeySpec(("OW",), Keyword("STORE", 5), Range(0))
    assert key_unknown("RO", "why") == KeySpec(("RO",), None, None, "why")
    assert key_specs(key_at(1, "RO")) == (key_at(1, "RO"),)
    assert key_specs([key_at(1, "RO"), key_at(2, "RW")]) == (key_at(1, "RO"), key_at(2, "RW"))
    with pytest.raises(ValueError, match="readonly"):
        key_flags("readonly")


def test_whether_a_command_has_keys():
    assert KeySpecs([key_at(1, "RO")]).any
    assert not KeySpecs([key_at(1, "not_key")]).any
    assert not KeySpecs(()).any


def find_keys(specs, argv):
    return KeySpecs(specs).positions(argv)


def test_the_names_of_key_flags_are_in_the_order_of_their_bits():
    assert list(KEY_FLAGS.values()) == [1 << bit for bit in range(len(KEY_FLAGS))]


def test_find_keys_of_which_there_are_many():
    argv = [b"DEL"] + [b"k%d" % number for number in range(1000)]
    assert find_keys([key_range(1, -1, 1, "RM delete")], argv) == [(at, ("RM", "delete")) for at in range(1, 1001)]


def test_find_keys_before_as_many_ids():
    # XREADGROUP: half of what follows STREAMS.
    spec = key_after("STREAMS", 4, "RO access", Range(-1, 1, 2))
    argv = b"XREADGROUP GROUP g c COUNT 1 streams a b > >".split()
    assert find_keys([spec], argv) == [(7, ("RO", "access")), (8, ("RO", "access"))]


@pytest.mark.parametrize("number", [b"02", b"+2", b" 2", b"2x", b"\v2"])
def test_find_keys_of_a_number_that_is_not_spelled_properly(number):
    specs = [key_at(1, "OW update"), key_count(2, "RO access")]
    assert find_keys(specs, [b"ZUNIONSTORE", b"to", number, b"a", b"b"]) == [(3, ()), (4, ()), (1, ())]


@pytest.mark.parametrize("number", [b"0", b"-1", b"", b"x", b"3", b"9" * 18, b"9" * 30, b" ", b"-"])
def test_find_keys_of_a_number_that_is_wrong(number):
    with pytest.raises(ValueError, match="Invalid arguments"):
        find_keys([key_count(1, "RO access", keystep=2)], [b"ZUNION", number, b"a", b"b"])


def test_find_keys_takes_every_second_key_of_a_count():
    # MSETEX, which redis-server 7.0 does not know.
    spec = key_count(1, "OW update", keystep=2)
    assert find_keys([spec], b"MSETEX 2 a 1 b 2 NX".split()) == [(2, ("OW", "update")), (4, ("OW", "update"))]
    with pytest.raises(ValueError, match="Invalid arguments"):
        find_keys([spec], b"MSETEX 3 a 1 b 2".split())


def test_find_keys_after_a_keyword_from_the_end():
    spec = key_after("KEYS", -2, "RW", Range(-1))
    assert find_keys([spec], b"COMMAND x keys a b".split()) == [(3, ("RW",)), (4, ("RW",))]
    with pytest.raises(ValueError, match="Invalid arguments"):
        find_keys([spec], b"COMMAND keys a b".split())


def test_find_keys_without_the_argument_that_counts_them():
    with pytest.raises(ValueError, match="Invalid arguments"):
        find_keys([key_count(1, "RO")], [b"COMMAND"])


def test_delex_reads_only_with_a_condition():
    spec = key_at(1, "RW delete variable_flags", finder=FINDERS["delex"])
    assert find_keys([spec], b"DELEX k".split()) == [(1, ("RM", "delete"))]
    assert find_keys([spec], b"DELEX k IFEQ v".split()) == [(1, ("RW", "delete"))]


# ---- Against redis-server ----

CALLS = """
GET k
SET k v
SET k v GET
SET k get NX Get
SET k v EX 10
BITFIELD k
BITFIELD k GET u8 0
BITFIELD k OVERFLOW SAT GET u8 0
BITFIELD k GET u8
BITFIELD k GET u8 0 SET u8 0 1
BITFIELD k INCRBY u8 0
BITFIELD k OVERFLOW
BITFIELD k NONSENSE
MSET a 1 b 2
MSET a 1 b
MGET a b c
DEL a b
BITOP AND d a b
BLPOP a b 0
RENAME a b
COPY a b DB 3
SINTERCARD 2 a b LIMIT 3
SINTERCARD 3 a b
SINTERCARD 0 a
SINTERCARD -1 a
ZUNIONSTORE d 2 a b WEIGHTS 1 2
EVAL script 2 a b c
EVAL script 0
EVAL script 3 a
XREAD STREAMS a b 1 2
XREAD COUNT 2 STREAMS a 1
XREAD COUNT 2 a 1
XREADGROUP GROUP g c STREAMS a b > >
SORT k
SORT k BY w_* GET STORE STORE d
SORT k LIMIT 0 1 STORE d1 STORE d2
SORT k STORE
SORT_RO k BY w_*
MIGRATE host 1 k 0 100
MIGRATE host 1 k 0 100 COPY AUTH keys
MIGRATE host 1 "" 0 100 COPY REPLACE AUTH2 user pass KEYS a b
MIGRATE host 1 k 0 100 KEYS a b
MIGRATE host 1 "" 0 100 KEYS
GEORADIUS k 0 0 1 m STORE d
GEORADIUS k 0 0 1 m STORE
OBJECT ENCODING k
MEMORY USAGE k
XGROUP CREATE k g $
PFCOUNT a b
WATCH a b
LCS a b
""".strip().splitlines()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    """(call, flat call) of a redis-server 7.0 of this test's own: RESP3 without type loss, with sets as tuples."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("no redis-server on PATH")
    if " v=7.0." not in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("redis-server is not 7.0, which the facts' `differs` describes")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen([*arguments, "--dir", str(tmp_path_factory.mktemp("redis"))], stdout=subprocess.DEVNULL)
    try:
        connection = connect(port)
        stream = connection.makefile("rb")

        def call(*argv: bytes):
            parts = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in argv)
            connection.sendall(b"*%d\r\n%s" % (len(argv), parts))
            return read_reply(stream)

        call(b"HELLO", b"3")
        yield call
        connection.close()
    finally:
        server.terminate()
        server.wait()


def connect(port: int) -> socket.socket:
    """A connection to a server that is just starting."""
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


def read_reply(stream):
    """One RESP3 reply: a map is a dict, an array a list, a set a tuple, a simple string a Status, an error raises."""
    line = stream.readline()[:-2]
    kind, rest = line[:1], line[1:].decode()
    if kind == b"$":
        return stream.read(int(rest) + 2)[:-2].decode()
    if kind == b"+":
        return Status(rest)
    if kind == b":":
        return int(rest)
    if kind == b"-":
        return ValueError(rest)
    if kind == b"_":
        return None
    if kind == b"%":
        return {read_reply(stream): read_reply(stream) for _ in range(int(rest))}
    return {b"*": list, b"~": tuple}[kind](read_reply(stream) for _ in range(int(rest)))


def typed(reply, drop=()):
    """A reply with the type of every text made visible, without the entries of maps in `drop` and without set order."""
    if isinstance(reply, dict):
        return {name: typed(value, drop) for name, value in reply.items() if name not in drop}
    if isinstance(reply, list):
        return [typed(each, drop) for each in reply]
    if isinstance(reply, tuple):
        return {"set": sorted((typed(each, drop) for each in reply), key=repr)}
    return (type(reply).__name__, reply)


def unchanged_since_7_0() -> list[dict]:
    """Rows that, with their subcommands, say of redis-server 7.0 what they say of later ones."""
    changed = {row.get("container", row["name"]) for row in COMMANDS if row.get("differs")}
    changed |= {row.get("container", row["name"]) for row in COMMANDS if "redis-7.0" not in row["in"]}
    return [row for row in COMMANDS if "container" not in row and row["name"] not in changed]


@pytest.mark.parametrize("row", unchanged_since_7_0(), ids=row_ids)
def test_docs_have_the_shape_of_redis(redis_server, row):
    declaration = declaration_of(row)
    [(name, theirs)] = redis_server(b"COMMAND", b"DOCS", declaration.name).items()
    if "complexity" not in theirs:
        declaration = replace(declaration, complexity="")
    ours = docs(declaration)
    # Redis 7.0 has display_text only where it differs from the name; since 7.2 every simple argument has it.
    assert all("display_text" in argument for argument in ours.get("arguments", ()) if "arguments" not in argument)
    assert name == declaration.name.decode()
    assert list(ours) == [part for part in theirs if part != "history"]
    texts = ("summary", "complexity", "history", "replaced_by")
    assert typed(ours, drop=(*texts, "display_text")) == typed(theirs, drop=(*texts, "display_text"))
    for part in ("summary", "complexity", "replaced_by"):
        assert type(ours.get(part)) is type(theirs.get(part))


def test_history_has_the_shape_of_redis(redis_server):
    theirs = redis_server(b"COMMAND", b"DOCS", b"expire")["expire"]
    history = tuple((version, change) for version, change in theirs["history"])
    ours = docs(Declaration(b"expire", "generic", -3, history=history))
    assert typed(ours["history"]) == typed(theirs["history"])


@pytest.mark.parametrize("row", unchanged_since_7_0(), ids=row_ids)
def test_info_has_the_shape_of_redis(redis_server, row):
    declaration = declaration_of(row)
    [theirs] = redis_server(b"COMMAND", b"INFO", declaration.name)
    ours = info(declaration)
    for entry in (ours, theirs):
        if entry[9]:
            entry[9].sort(key=lambda subcommand: subcommand[0])
    assert typed(ours, drop=("notes",)) == typed(theirs, drop=("notes",))
    assert ours[2] == theirs[2], "flags in Redis's order"
    assert ours[6] == theirs[6], "categories in Redis's order"


@pytest.mark.parametrize("call", CALLS)
def test_find_keys_as_redis_does(redis_server, call):
    argv = [b"" if part == '""' else part.encode() for part in call.split()]
    names = (call.split()[0], " ".join(call.split()[:2]))
    row = next(row for row in COMMANDS if row["name"] in names and "key_specs" in row)
    finder = FINDERS.get(row["name"].lower())
    specs = [KeySpec(spec.flags, spec.begin, spec.find, finder=finder) for spec in declaration_of(row).keys]
    theirs = redis_server(b"COMMAND", b"GETKEYSANDFLAGS", *argv)
    try:
        found = find_keys(specs, argv)
    except ValueError as error:
        assert theirs == [] if "no_mandatory_keys" in row["flags"] else str(theirs) == f"ERR {error}"
    else:
        ours = [[argv[position].decode(), tuple(sorted(flags))] for position, flags in found]
        assert ours == [[name, tuple(sorted(flags))] for name, flags in theirs]
