"""LOLWUT: a picture, as Redis has one for every version. Ours are cellular automata."""

from fastredis import REDIS_VERSION
from fastredis.engine.command import declarer
from fastredis.engine.errors import NOT_INTEGER
from fastredis.engine.flags import FAST, READONLY
from fastredis.engine.reply import ErrorReply, Verbatim
from fastredis.text import parse_int, to_text

declare = declarer("server")

# Wolfram's numbers of elementary automata that draw something from a single cell; VERSION chooses.
RULES = (90, 30, 110, 150, 73, 105, 22, 45)
SIZES = ((66, 1, 400), (16, 1, 200))  # columns and rows: default, least, most
BLOCKS = " \u2580\u2584\u2588"  # two cells, one above the other: none, upper, lower, both


def cmd_lolwut(c):
    """LOLWUT [VERSION n] [columns] [rows] -> verbatim string: a picture, and the version.

    The same arguments always draw the same picture.
    Errors: no integer.
    Source: https://redis.io/docs/latest/commands/lolwut/
    """
    words = c.args[1:]
    numbers = [parse_int(to_text(word)) for word in (words[1:] if has_version(words) else words)]
    if None in numbers:
        raise ErrorReply(NOT_INTEGER)
    rule = RULES[numbers.pop(0) % len(RULES) if has_version(words) else 0]
    sizes = [max(least, min(most, number)) for number, (_, least, most) in zip(numbers, SIZES, strict=False)]
    sizes += [default for default, _, _ in SIZES[len(sizes) :]]
    picture = "".join(line + "\n" for line in draw(rule, *sizes))
    c.reply(Verbatim(f"{picture}\nRule {rule} from a single cell. Redis ver. {REDIS_VERSION}\n"))


declare(
    b"lolwut", cmd_lolwut, arity=-1, flags=READONLY | FAST, since="5.0.0",
    complexity="O(N) where N is the size of the picture",
    summary="Draws a picture and tells the version.",
    args="[VERSION version:integer]",
)


def has_version(words: list[bytes]) -> bool:
    return len(words) > 1 and words[0].lower() == b"version"


def draw(rule: int, columns: int, rows: int) -> list[str]:
    """The first generations of an automaton on a ring, two to a line of text."""
    cells = [column == columns // 2 for column in range(columns)]
    lines = []
    for _ in range(rows):
        below = generation(rule, cells)
        line = "".join(BLOCKS[upper + 2 * lower] for upper, lower in zip(cells, below, strict=True))
        lines.append(line.rstrip())
        cells = generation(rule, below)
    return lines


def generation(rule: int, cells: list[bool]) -> list[bool]:
    """The next generation: bit n of the rule says what becomes of a cell whose neighbourhood spells n."""
    neighbours = zip(cells[-1:] + cells[:-1], cells, cells[1:] + cells[:1], strict=True)
    return [bool(rule >> (4 * left + 2 * cell + right) & 1) for left, cell, right in neighbours]
