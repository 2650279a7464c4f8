"""Every declared command against the facts of Redis and Valkey: arity, flags, keys, categories, arguments."""
import json
from pathlib import Path

import pytest
from fastredis.engine.command import declared_commands

from fastredis import commands
from fastredis.engine import declarations
from fastredis.engine.arguments import argument_docs, parse_args

FACTS = Path(__file__).parent / "facts"

# SET has the comparisons of 8.4 and BITOP the operations of 8.2, which these facts do not have; BGSAVE has CANCEL,
# which they have as Valkey's; MOVE has REPLACE of Valkey 9.2; CLIENT KILL and LIST have the filters of Valkey 9.0.
OWN_ARGUMENTS = {"SET", "BITOP", "BGSAVE", "MOVE", "CLIENT KILL", "CLIENT LIST"}
OWN_ARITY = {"MOVE": -3}
# These have AGGREGATE COUNT of 8.8, the policies of 8.2, IDMP of 8.6, or MAXCOUNT of 8.10: their arguments are those
# of commands-later.json.
LATER_ARGUMENTS = {"ZINTER", "ZINTERSTORE", "ZUNION", "ZUNIONSTORE", "XTRIM", "XADD", "XREAD", "XREADGROUP"}


def load_facts():
    later, rows = ({row["name"]: row for row in json.loads((FACTS / file).read_text())}
                   for file in ("commands-later.json", "commands.json"))
    for name in LATER_ARGUMENTS:
        rows[name]["arguments"] = later[name]["arguments"]
    return later | rows


commands.load()
ROWS = load_facts()
DECLARED = {command.name.decode().upper().replace("|", " "): command for command in declared_commands()}


def test_every_command_is_known():
    assert set(DECLARED) <= set(ROWS)


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_facts(name):
    declared, row = DECLARED[name].declaration, ROWS[name]
    assert declared.group == row["group"]
    assert declared.since == row.get("since", declared.since)
    assert declared.arity == OWN_ARITY.get(name, row.get("arity", declared.arity))
    flags = {flag.lower() for flag in declarations.flag_names(declared.flags)} - {"movablekeys"}
    assert flags == {flag for flag in row.get("flags", ()) if flag != "movablekeys"}
    if "acl" in row:
        found = declarations.acl_categories(declared.flags, declared.group, declared.acl)
        assert {f"@{category}" for category in found} == set(row["acl"])
    if "first_key" in row:
        expected = (row["first_key"], row["last_key"], row["step"])
        assert declarations.legacy_range(declared.keys) == expected
    assert len(declared.keys) == len(row.get("key_specs", ()))


@pytest.mark.parametrize("name", sorted(set(DECLARED) - OWN_ARGUMENTS))
def test_arguments(name):
    def shape(argument):
        """What the facts have of an argument."""
        found = {"name": argument["name"], "type": argument["type"]}
        for key in ("token", "since", "deprecated_since", "key_spec_index"):
            if key in argument:
                found[key] = argument[key]
        if argument.get("flags"):
            found["flags"] = sorted(map(str, argument["flags"]))
        if argument.get("arguments"):
            found["arguments"] = [shape(each) for each in argument["arguments"]]
        return found

    arguments = parse_args(DECLARED[name].declaration.args)
    ours = [shape(argument_docs(each)) for each in arguments]
    assert ours == [shape(each) for each in ROWS[name].get("arguments", ())]


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_has_words_of_its_own(name):
    declared = DECLARED[name].declaration
    assert declared.summary.endswith(".")
    assert declared.complexity
