"""The grammar of a declaration's `args`, and how COMMAND DOCS shows it. Texts are parsed when that is asked for.

Source: https://redis.io/docs/latest/develop/reference/command-arguments/
"""

import functools
import re
from typing import Any, NamedTuple

from fastredis.engine.reply import Status

# Read as a line of Redis's documentation, plus what COMMAND DOCS has to know. SET, for example:
#
#     key value [condition=(NX | XX)@2.6.12] [GET@6.2.0]
#     [expiration=(EX seconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0 | KEEPTTL@6.0.0)]
#
#     arguments = { argument }
#     argument  = item | "[" item "]"                              in brackets: optional
#     item      = [ token [ "..." ] ] value | pure                 token "...": the token is repeated, too
#     value     = name [ "<" text ">" ] [ ":" type ] suffix        text: shown instead of the name
#               | name "=" "(" argument { "|" argument } ")" suffix    type oneof
#               | name "=" "{" arguments "}" suffix                    type block
#     pure      = [ name "=" ] token suffix                        type pure-token; its name: the token in lower case
#     suffix    = [ "#" number ] [ "@" [ since ] [ "-" deprecated ] ] [ "..." ]     ...: multiple
#     name      = word in small letters, digits, "-" and "_"
#     token     = word in capitals | text in double quotes
#
# type is string unless given, but key for the name `key`. #number is the key spec; the first key has 0, each further
# one is one above the highest so far. A token takes the name after it, so that a lone token before a name is
# written with its own name: `nx=NX key`.

ARGUMENT_TYPES = ("string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block")


class Argument(NamedTuple):
    """One argument of a command as COMMAND DOCS describes it; `arguments` are those of a oneof or a block."""

    name: str
    type: str = "string"
    token: str | None = None
    display_text: str | None = None
    key_spec_index: int | None = None
    since: str | None = None
    deprecated_since: str | None = None
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    arguments: tuple["Argument", ...] = ()


_LEXEME = r"""\s*(?:
      (?P<name>    [a-z][a-z0-9_-]* )
    | (?P<word>    [A-Z][A-Z0-9_-]* )
    | (?P<quoted>  "[^"]*" )
    | (?P<display> <[^<>]*> )
    | (?P<version> [0-9]+(?:\.[0-9]+)* )
    | (?P<mark>    \.\.\. | [][(){}|=:\#@-] )
    | (?P<end>     $ )
    )"""


class _ArgumentParser:
    """Recursive descent over the grammar above: one method a rule, `kind` and `text` are the lexeme ahead."""

    def __init__(self, source: str):
        self.source = source
        self.position = 0
        self.highest_key = -1
        self.text = ""
        self.advance()

    def advance(self) -> str:
        """Go to the next lexeme; returns the text of the one left behind."""
        left_behind = self.text
        match = re.compile(_LEXEME, re.VERBOSE).match(self.source, self.position)
        if not match:
            raise ValueError(f"unexpected character at {self.position} of {self.source!r}")
        self.kind, self.text = match.lastgroup, match[match.lastgroup]
        self.start, self.position = match.start(match.lastgroup), match.end()
        return left_behind

    def fail(self, expected: str) -> ValueError:
        return ValueError(f"{expected} expected at {self.start} of {self.source!r}")

    def skip(self, mark: str) -> bool:
        """Step over a mark if it is next."""
        if self.kind != "mark" or self.text != mark:
            return False
        self.advance()
        return True

    def require(self, mark: str) -> None:
        if not self.skip(mark):
            raise self.fail(repr(mark))

    def take(self, *kinds: str) -> str:
        """The text of the next lexeme, which must be of one of these kinds."""
        if self.kind not in kinds:
            raise self.fail(" or ".join(kinds))
        return self.advance()

    def sequence(self) -> tuple[Argument, ...]:
        """arguments, up to the end or whatever closes them."""
        found = []
        while self.kind in ("name", "word", "quoted") or self.text == "[":
            found.append(self.argument())
        return tuple(found)

    def argument(self) -> Argument:
        if not self.skip("["):
            return self.item(optional=False)
        item = self.item(optional=True)
        self.require("]")
        return item

    def item(self, optional: bool) -> Argument:
        fields: dict[str, Any] = {"optional": optional}
        if self.kind in ("word", "quoted"):
            token = self.token()
            dots = self.skip("...")
            if self.kind != "name":
                return self.suffix({"name": token.lower(), "type": "pure-token", "token": token} | fields, dots)
            fields |= {"token": token, "multiple": dots, "multiple_token": dots}
        fields["name"] = self.take("name")
        if self.skip("="):
            return self.compound(fields)
        if self.kind == "display":
            fields["display_text"] = self.advance()[1:-1]
        fields["type"] = "key" if fields["name"] == "key" else "string"
        if self.skip(":"):
            fields["type"] = self.take("name")
            if fields["type"] not in ARGUMENT_TYPES[:6]:
                raise self.fail(f"a type before {self.text!r}")
        return self.suffix(fields)

    def compound(self, fields: dict[str, Any]) -> Argument:
        """What follows `name=`: the token of a pure token, the alternatives of a oneof, the parts of a block."""
        if self.skip("("):
            alternatives = [self.argument()]
            while self.skip("|"):
                alternatives.append(self.argument())
            self.require(")")
            fields |= {"type": "oneof", "arguments": tuple(alternatives)}
        elif self.skip("{"):
            fields |= {"type": "block", "arguments": self.sequence()}
            self.require("}")
        elif "token" in fields:
            raise self.fail("'(' or '{'")
        else:
            fields |= {"type": "pure-token", "token": self.token()}
        return self.suffix(fields)

    def token(self) -> str:
        return self.take("word", "quoted").strip('"')

    def suffix(self, fields: dict[str, Any], dots: bool = False) -> Argument:
        if self.skip("#"):
            fields["key_spec_index"] = int(self.take("version"))
        elif fields["type"] == "key":
            fields["key_spec_index"] = self.highest_key + 1
        self.highest_key = max(self.highest_key, fields.get("key_spec_index", -1))
        if self.skip("@"):
            if self.kind == "version":
                fields["since"] = self.advance()
            if self.skip("-"):
                fields["deprecated_since"] = self.take("version")
        if dots or self.skip("..."):
            fields["multiple"] = True
        return Argument(**fields)


@functools.cache
def parse_args(text: str) -> tuple[Argument, ...]:
    """The arguments that a declaration's `args` describes. ValueError, with the position, if it is no such text."""
    parser = _ArgumentParser(text)
    arguments = parser.sequence()
    if parser.kind != "end":
        raise parser.fail("an argument")
    return arguments


def argument_docs(argument: Argument) -> dict[str, Any]:
    """One argument for COMMAND DOCS."""
    compound = argument.type in ("oneof", "block")
    entry: dict[str, Any] = {
        "name": argument.name,
        "type": argument.type,
        "display_text": None if compound else (argument.display_text or argument.name),
        "key_spec_index": argument.key_spec_index,
        "token": argument.token,
        "since": argument.since,
        "deprecated_since": argument.deprecated_since,
        "flags": tuple(Status(flag) for flag in ("optional", "multiple", "multiple_token") if getattr(argument, flag))
        or None,
        "arguments": [argument_docs(each) for each in argument.arguments] if compound else None,
    }
    return {name: value for name, value in entry.items() if value is not None}
