"""The text of redis.conf: words, quoting, C's number syntax, glob patterns.

Text is `str` decoded as UTF-8 with surrogateescape, so any byte survives the way in and out.
"""

import re

BLANKS = b" \t\n\v\f\r"
ESCAPES = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}
QUOTED = {10: "\\n", 13: "\\r", 9: "\\t", 8: "\\b", 7: "\\a", ord("\\"): "\\\\", ord('"'): '\\"'}
HEX_BYTE = re.compile(rb"\\x([0-9a-fA-F]{2})")
I64_MIN, I64_MAX, U64_MAX = -(2**63), 2**63 - 1, 2**64 - 1


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def before_zero(text: str) -> str:
    """What C takes for the whole of a text."""
    return text.partition("\0")[0]


def split_args(line: str) -> list[str] | None:
    r"""Split a line into words as redis.conf and redis-cli do; None when its quotes do not balance.

    "..." knows \xHH \n \r \t \b \a and takes any other escaped character as itself; '...' knows only \'.
    A closing quote must be followed by a blank or the end. Quotes may open inside a word: ab"c d" is one
    word. A NUL ends the line, as in C.
    Source: the behaviour of redis-server 7.0, which the tests compare.
    """
    data = to_bytes(line).split(b"\0", 1)[0]
    words = []
    at = 0
    while True:
        while at < len(data) and data[at] in BLANKS:
            at += 1
        if at == len(data):
            return words
        word = bytearray()
        at = _read_word(data, at, word)
        if at < 0:
            return None
        words.append(to_text(bytes(word)))


def _read_word(data: bytes, at: int, word: bytearray) -> int:
    """Append the word that starts at `at` to `word`; return where it ends, or -1 for unbalanced quotes."""
    while at < len(data):
        char = data[at]
        if char in b" \n\r\t":
            return at
        if char not in b"\"'":
            word.append(char)
            at += 1
            continue
        at = _read_quoted(data, at + 1, char, word)
        if at < 0 or (at < len(data) and data[at] not in BLANKS):
            return -1
        return at
    return at


def _read_quoted(data: bytes, at: int, quote_char: int, word: bytearray) -> int:
    """Append what is quoted from `at` on; return the place after the closing quote, or -1 without one."""
    double = quote_char == ord('"')
    while at < len(data):
        char = data[at]
        if char == quote_char:
            return at + 1
        if char == ord("\\") and at + 1 < len(data):
            escaped = data[at + 1]
            if double:
                if hex_byte := HEX_BYTE.match(data, at):
                    word.append(int(hex_byte[1], 16))
                    at += 4
                else:
                    word.append(ESCAPES.get(escaped, escaped))
                    at += 2
                continue
            if escaped == quote_char:
                word.append(escaped)
                at += 2
                continue
        word.append(char)
        at += 1
    return -1


def quote(value: str) -> str:
    """The value in double quotes, such that split_args() gives it back; bytes outside ASCII become \\xHH."""
    parts = []
    for byte in to_bytes(value):
        if byte in QUOTED:
            parts.append(QUOTED[byte])
        else:
            parts.append(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")
    return '"' + "".join(parts) + '"'


def parse_int(text: str) -> int | None:
    """A signed 64-bit integer in its only spelling (no blanks, plus sign or leading zeros), or None."""
    if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text):
        return None
    value = int(text)
    return value if I64_MIN <= value <= I64_MAX else None


def strtoll(text: str, base: int = 10) -> tuple[int, bool] | None:
    """C's strtoll: (value, overflowed), the value clamped to 64 bits; None when something follows the number.

    The empty string is 0, as it is in C when only the end pointer is looked at. The text ends at a NUL.
    """
    text = before_zero(text)
    if text == "":
        return 0, False
    digits = "0-7" if base == 8 else "0-9"
    if not re.fullmatch(rf"[ \t\n\v\f\r]*[+-]?[{digits}]+", text):
        return None
    value = int(text, base)
    return max(I64_MIN, min(I64_MAX, value)), not I64_MIN <= value <= I64_MAX


def strtod(text: str) -> float | None:
    """C's strtod over the whole text, without leading blanks; None for NaN, overflow and anything else."""
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        value = float(text)
        return None if value in (float("inf"), float("-inf")) else value
    if re.fullmatch(r"[+-]?(inf|infinity)", text, re.IGNORECASE):
        return float(text)
    if re.fullmatch(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?[0-9]+)?", text):
        try:
            return float.fromhex(text)
        except OverflowError:
            return None
    return None


def wrap_int32(value: int) -> int:
    """What is left of a number that C stores in an int."""
    return (value + 2**31) % 2**32 - 2**31


MEMORY_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1024,
    "m": 1000**2,
    "mb": 1024**2,
    "g": 1000**3,
    "gb": 1024**3,
}


def parse_memory(text: str) -> int | None:
    """Bytes from "100", "5k", "64MB", ...: unsigned 64-bit, or None.

    Odd as in Redis: no digits count as 0 ("kb" is 0), what exceeds 64 bits clamps before the unit and wraps after
    it, and the text ends at a NUL.
    """
    match = re.fullmatch(r"([0-9]{0,127})([a-zA-Z]*)", before_zero(text))
    unit = match and MEMORY_UNITS.get(match[2].lower())
    if not unit:
        return None
    return min(int(match[1] or 0), U64_MAX) * unit & U64_MAX


def format_memory(size_bytes: int) -> str:
    """Bytes as CONFIG REWRITE spells them: the largest of gb, mb, kb that divides them."""
    for unit in ("gb", "mb", "kb"):
        if size_bytes and size_bytes % MEMORY_UNITS[unit] == 0:
            return f"{size_bytes // MEMORY_UNITS[unit]}{unit}"
    return str(size_bytes)


def glob_regex(pattern: str) -> re.Pattern[str]:
    """Redis's glob as a case-insensitive regular expression: * ? [a-z] [^a-z] and \\x for a plain x."""
    parts = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "[":
            at = _glob_class(pattern, at, parts)
        else:
            if char == "\\" and at < len(pattern):
                char = pattern[at]
                at += 1
            parts.append(re.escape(char))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _glob_class(pattern: str, at: int, parts: list[str]) -> int:
    """Translate the class whose inside starts at `at`; return the place after it. Its "]" may be missing."""
    negated = pattern.startswith("^", at)
    at += negated
    members = []
    while at < len(pattern) and pattern[at] != "]":
        if pattern[at] == "\\" and at + 1 < len(pattern):
            at += 1
            members.append(re.escape(pattern[at]))
        elif at + 2 < len(pattern) and pattern[at + 1] == "-":
            low, high = sorted((pattern[at], pattern[at + 2]))
            members.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 2
        else:
            members.append(re.escape(pattern[at]))
        at += 1
    if members:
        parts.append(f"[{'^' if negated else ''}{''.join(members)}]")
    else:
        parts.append("." if negated else "(?!)")
    return at + 1


def address_text(name: tuple | None) -> bytes:
    """host:port, an IPv6 host in brackets."""
    if not name:
        return b"?:0"
    host, port = name[:2]
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()
