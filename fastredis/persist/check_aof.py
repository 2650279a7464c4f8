"""`fastredis --check-aof FILE`: read an AOF through, tell where it is damaged, and cut the damaged end off if asked to.

FILE is a manifest, whose files are all read, or one file: a part, or an AOF of the time before it had parts. Lines of
output, questions and exit codes are redis-check-aof's. Only the last file can be cut, since the others' ends are
the beginnings of what follows.
"""

import os
import re
import sys
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from fastredis.engine.engine import Engine
from fastredis.persist.check_rdb import known_text, report_error
from fastredis.persist.manifest import BASE, Manifest, ManifestError, parse
from fastredis.persist.rdb_load import MAGIC, RdbError, load_file
from fastredis.text import parse_int

USAGE = "Usage: fastredis --check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
RDB_SLICE_US = 1_000_000
LONGEST_LINE = 1024
IS_VALID, IS_EMPTY, WAS_CUT, WAS_CUT_TO_TIME = range(4)


class Refused(Exception):
    """The check ends here; the text says why, and the exit code is 1."""


class Options(NamedTuple):
    """What to do beside reading: cut a damaged end off (fix); cut off what is later than a time (until_s; 0: nothing).

    ask() is called before a file is cut for good, write(line) with each line of output.
    """

    fix: bool
    until_s: int
    ask: Callable[[str], bool]
    write: Callable[[str], None]


class Damage(Exception):
    """A record is not what it should be; the text, which may be empty, says what was found."""


def main(argv: list[str]) -> int:
    """`--check-aof [--fix | --truncate-to-timestamp n] FILE`: 0 if all is well in the end, else 1."""
    words = [word for word in argv if word != "--fix"]
    fix = len(words) < len(argv)
    until_s: int | None = 0
    if len(words) == 3 and words[0] == "--truncate-to-timestamp" and not fix:
        until_s = parse_int(words[1])
        if until_s is None:
            print("Invalid timestamp, aborting...")
            return 1
        words = words[2:]
    if len(words) != 1 or words[0].startswith("--") or len(argv) > 3:
        print(USAGE)
        return 1
    try:
        check(words[0], Options(fix, until_s, ask, print))
    except Refused as refusal:
        print(refusal)
        return 1
    return 0


def ask(question: str) -> bool:
    """Ask on the terminal, or whoever is at the standard input."""
    sys.stdout.write(f"{question} [y/N]: ")
    sys.stdout.flush()
    return sys.stdin.readline(2).lower().startswith("y")


def check(path: str, options: Options) -> None:
    """Check a manifest with its files, or one file. Raises Refused."""
    write = options.write
    if is_manifest(path):
        write("Start checking Multi Part AOF")
        try:
            with open(path, "rb") as stream:
                found = parse(stream.read())
        except ManifestError as error:
            raise Refused("\n".join(error.messages())) from None
        check_parts(found, os.path.dirname(path) or ".", options)
        write("All AOF files and manifest are valid")
        return
    write("Start checking Old-Style AOF")
    tell("AOF", path, check_file(path, path, True, is_rdb(path), options), options)


def check_parts(found: Manifest, directory: str, options: Options) -> None:
    told = False
    for each in found.files:
        path = os.path.join(directory, each.name)
        has_preamble = False
        if each.kind == BASE:
            has_preamble = is_rdb(path)
            options.write(f"Start to check BASE AOF ({'RDB' if has_preamble else 'RESP'} format).")
        elif not told:
            told = True
            options.write("Start to check INCR files.")
        outcome = check_file(each.name, path, each is found.files[-1], has_preamble, options)
        tell("BASE AOF" if each.kind == BASE else "INCR AOF", each.name, outcome, options)


def tell(kind: str, name: str, outcome: int, options: Options) -> None:
    options.write({
        IS_VALID: f"{kind} {name} is valid",
        IS_EMPTY: f"{kind} {name} is empty",
        WAS_CUT: f"Successfully truncated AOF {name}",
        WAS_CUT_TO_TIME: f"Successfully truncated AOF {name} to timestamp {options.until_s}",
    }[outcome])


# --- which kind of file ---------------------------------------------------------------


def beginning(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise Refused(f"Cannot open file {path}: {error.strerror}") from None


def is_manifest(path: str) -> bool:
    """Whether the first line that is no comment is one of a manifest."""
    lines = beginning(path, 64 * LONGEST_LINE).split(b"\n")
    return next((line for line in lines if not line.startswith(b"#")), b"").startswith(b"file")


def is_rdb(path: str) -> bool:
    start = beginning(path, 8)
    return len(start) == 8 and start.startswith(MAGIC)


# --- one file -------------------------------------------------------------------------


def check_file(name: str, path: str, is_last: bool, has_preamble: bool, options: Options) -> int:
    """Check one file, and cut it if that is wanted; an outcome for tell(). Raises Refused."""
    write = options.write
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            return IS_EMPTY
        if has_preamble:
            stream.seek(check_preamble(path, stream.fileno(), size, write))
            write("RDB preamble is OK, proceeding with AOF tail...")
        reader = Reader(stream, name)
        try:
            late = reader.read_all(options.until_s)
        except Damage as damage:
            late = False
            if str(damage):
                write(str(damage))
        if late:
            return cut_to_time(reader, path, is_last, options)
        if reader.good == size and options.until_s:
            write(f"Truncate nothing in AOF {name} to timestamp {options.until_s}")
            return IS_VALID
        write(f"AOF analyzed: filename={name}, size={size}, ok_up_to={reader.good}, ok_up_to_line={reader.line}, "
              f"diff={size - reader.good}")
        return cut_damage(reader, name, size, is_last, options) if reader.good < size else IS_VALID


def open_file(path: str) -> BinaryIO:
    try:
        return open(path, "r+b")
    except OSError as error:
        raise Refused(f"Cannot open file {path}: {error.strerror}, aborting...") from None


def check_preamble(path: str, descriptor: int, size: int, write: Callable[[str], None]) -> int:
    """Read the RDB file that the AOF begins with; returns where it ends. Raises Refused."""
    load = load_file(Engine(1, 0), descriptor, size, keep=False)
    load.tell = lambda text: write(f"[offset {load.offset}] {text}")
    write(f"[offset 0] Checking RDB file {path}")
    try:
        while not load.step(RDB_SLICE_US):
            pass
    except RdbError as error:
        report_error(load, error.offset, known_text(error), write)
        raise Refused("RDB preamble of AOF file is not sane, aborting.") from None
    write(f"[offset {load.offset}] \\o/ RDB looks OK! \\o/")
    write(f"[info] {load.keys + load.expired} keys read")
    return load.offset


def cut_to_time(reader: "Reader", path: str, is_last: bool, options: Options) -> int:
    offset = reader.late
    if offset == 0:
        raise Refused(f"AOF {path} has nothing before timestamp {options.until_s}, aborting...")
    if not is_last:
        raise Refused(
            f"Failed to truncate AOF {path} to timestamp {options.until_s} to offset {offset} because it is not the "
            "last file.\nIf you insist, please delete all files after this file according to the manifest file and "
            "delete the corresponding records in manifest file manually. Then re-run fastredis --check-aof.")
    reader.cut(offset, f"Failed to truncate AOF {path} to timestamp {options.until_s}")
    return WAS_CUT_TO_TIME


def cut_damage(reader: "Reader", name: str, size: int, is_last: bool, options: Options) -> int:
    if not options.fix:
        raise Refused(f"AOF {name} is not valid. Use the --fix option to try fixing it.")
    if not is_last:
        raise Refused(f"Failed to truncate AOF {name} because it is not the last file")
    options.write(f"This will shrink the AOF {name} from {size} bytes, with {size - reader.good} bytes, to "
                  f"{reader.good} bytes")
    if not options.ask("Continue?"):
        raise Refused("Aborting...")
    reader.cut(reader.good, f"Failed to truncate AOF {name}")
    return WAS_CUT


class Reader:
    """The commands of one file.

    good    up to where the file holds whole commands and transactions
    line    which line is read next; those of annotations do not count
    late    where the annotation stands that is later than was asked for
    """

    def __init__(self, stream: BinaryIO, name: str):
        self._stream = stream
        self._name = name
        self._in_multi = False
        self._at = 0                    # where the latest line or word begins
        self.good = stream.tell()
        self.line = 1
        self.late = 0

    def read_all(self, until_s: int) -> bool:
        """Read up to the end; True if it stopped at an annotation later than until_s. Raises Damage."""
        stream = self._stream
        while True:
            if not self._in_multi:
                self.good = stream.tell()
            kind = stream.peek(1)[:1]
            if not kind:
                break
            if kind == b"#":
                self._at = stream.tell()
                if self._read_note() > until_s > 0:
                    self.late = self._at
                    return True
            elif kind == b"*":
                self._read_command()
            else:
                raise Damage(f"AOF {self._name} format error")
        if self._in_multi:
            raise self._damage("Reached EOF before reading EXEC for MULTI")
        return False

    def cut(self, offset: int, failure: str) -> None:
        try:
            os.ftruncate(self._stream.fileno(), offset)
            os.fsync(self._stream.fileno())
        except OSError:
            raise Refused(failure) from None

    def _damage(self, text: str) -> Damage:
        return Damage(f"0x{self._at:16x}: {text}")

    def _read_note(self) -> int:
        """The time of an annotation; 0 if it tells none."""
        note = self._stream.readline(LONGEST_LINE)
        if not note.startswith(b"#TS:"):
            return 0
        stamp = re.fullmatch(rb"#TS:(-?\d+)\r\n", note)
        if stamp is None:
            raise Refused("Invalid timestamp annotation")
        return int(stamp[1])

    def _read_number(self, prefix: bytes) -> int:
        self._at = self._stream.tell()
        text = self._stream.readline(128)
        if not text:
            raise Damage
        if text[:1] != prefix:
            raise self._damage(f"Expected prefix '{prefix.decode()}', got: '{chr(text[0])}'")
        found = re.match(rb"-?\d*", text[1:])
        self._expect_newline(text[1 + found.end():])
        return int(found[0]) if re.fullmatch(rb"-?\d+", found[0]) else 0

    def _expect_newline(self, text: bytes) -> None:
        if text[:2] != b"\r\n":
            pair = (text + b"\0\0")[:2]
            raise self._damage(f"Expected \\r\\n, got: {pair[0]:02x}{pair[1]:02x}")
        self.line += 1

    def _read_command(self) -> None:
        argc = self._read_number(b"*")
        if argc < 1:
            raise self._damage(f"Expected a command, got {argc} arguments")
        for i in range(argc):
            word = self._read_word()
            if i == 0:
                self._note_transaction(word.lower())

    def _read_word(self) -> bytes:
        size = self._read_number(b"$")
        if size < 0:
            raise self._damage(f"Expected to read string of {size} bytes, which is not in the suitable range")
        self._at = self._stream.tell()
        left = os.fstat(self._stream.fileno()).st_size - self._at
        if left < size + 2:
            raise self._damage(f"Expected to read {size + 2} bytes, got {left} bytes")
        word = self._stream.read(size + 2)
        self._expect_newline(word[size:])
        return word[:size]

    def _note_transaction(self, name: bytes) -> None:
        if name == b"multi":
            if self._in_multi:
                raise self._damage(f"Unexpected MULTI in AOF {self._name}")
            self._in_multi = True
        elif name == b"exec":
            if not self._in_multi:
                raise self._damage(f"Unexpected EXEC in AOF {self._name}")
            self._in_multi = False
