"""The manifest of a multi-part AOF: which files, in which order, hold the data.

    file appendonly.aof.2.base.rdb seq 2 type b        the data set at the last rewrite; at most one
    file appendonly.aof.1.incr.aof seq 1 type h        history: not needed any more, to be removed
    file appendonly.aof.4.incr.aof seq 4 type i        commands since the base, in this order
    file appendonly.aof.5.incr.aof seq 5 type i        written now

A Manifest is a value: who changes the set of files changes a copy, writes it, and only then takes it for the truth. It
reaches the disk by a rename, so at any moment there is a whole one.
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from fastredis.config.folder import Folder
from fastredis.text import quote, split_args, to_bytes, to_text

BASE, HISTORY, INCR = "b", "h", "i"
MAX_LINE = 1024  # bytes of a line, with its newline
SUFFIX = ".manifest"
NEEDS_QUOTES = re.compile(r"[^!-~]|[\\\"]")


class ManifestError(Exception):
    """The manifest cannot be used. `reason`; `number` and `line`: where it is wrong, None if that is unknown."""

    def __init__(self, reason: str, number: int = 0, line: str | None = None):
        super().__init__(reason)
        self.reason, self.number, self.line = reason, number, line

    def messages(self) -> list[str]:
        """redis-server's log lines for it."""
        where = [] if self.line is None else [
            f"Reading the manifest file, at line {self.number}\n", f">>> '{self.line}'\n"]
        return ["\n*** FATAL AOF MANIFEST FILE ERROR ***\n", *where, f"{self.reason}\n"]


@dataclass
class AofFile:
    """One line: the file's name within the directory, its number among those of its kind, its kind."""

    name: str
    seq: int
    kind: str

    def line(self) -> str:
        name = quote(self.name) if NEEDS_QUOTES.search(self.name) else self.name
        return f"file {name} seq {self.seq} type {self.kind}\n"


@dataclass
class Manifest:
    """The files: `base` or None, `incrs` in the order of writing, `history`; the highest numbers given out so far."""

    base: AofFile | None = None
    incrs: list[AofFile] = field(default_factory=list)
    history: list[AofFile] = field(default_factory=list)
    base_seq: int = 0
    incr_seq: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to load."""
        return self.base is not None or bool(self.incrs)

    @property
    def files(self) -> list[AofFile]:
        """What is to be loaded, in this order."""
        return ([self.base] if self.base else []) + self.incrs

    def copy(self) -> Manifest:
        return Manifest(self.base, list(self.incrs), list(self.history), self.base_seq, self.incr_seq)

    def text(self) -> str:
        """The file's content: base, history, increments."""
        files = ([self.base] if self.base else []) + self.history + self.incrs
        return "".join(each.line() for each in files)

    def new_base(self, stem: str, is_rdb: bool) -> AofFile:
        """Name the next base; the present one becomes history."""
        if self.base is not None:
            self.history.insert(0, AofFile(self.base.name, self.base.seq, HISTORY))
        self.base_seq += 1
        self.base = AofFile(f"{stem}.{self.base_seq}.base.{'rdb' if is_rdb else 'aof'}", self.base_seq, BASE)
        return self.base

    def new_incr(self, stem: str) -> AofFile:
        """Name the next increment, which is the last one from now on."""
        self.incr_seq += 1
        self.incrs.append(AofFile(f"{stem}.{self.incr_seq}.incr.aof", self.incr_seq, INCR))
        return self.incrs[-1]

    def retire_incrs(self, kept: int) -> None:
        """A new base has what the increments have: all but the last `kept` become history."""
        retired = self.incrs[:len(self.incrs) - kept]
        self.history[:0] = [AofFile(each.name, each.seq, HISTORY) for each in reversed(retired)]
        self.incrs = self.incrs[len(retired):]


def parse(data: bytes) -> Manifest:
    """Read a manifest's content. Raises ManifestError.

    As in Redis, words beyond the three known pairs are passed over, and a last line without its newline is refused.
    """
    manifest = Manifest()
    if not data:
        raise ManifestError("Found an empty AOF manifest")
    for number, raw in enumerate(re.findall(rb"[^\n]*\n|[^\n]+\Z", data), 1):
        if raw.startswith(b"#"):
            continue
        if len(raw) > MAX_LINE or not raw.endswith(b"\n"):
            raise ManifestError("The AOF manifest file contains too long line")
        line = to_text(raw).strip(" \t\r\n")
        try:
            _add(manifest, _parse_line(line))
        except ManifestError as error:
            raise ManifestError(error.reason, number, line) from None
    return manifest


def _parse_line(line: str) -> AofFile:
    words = split_args(line) if line else None
    if words is None or len(words) < 6 or len(words) % 2:
        raise ManifestError("Invalid AOF manifest file format")
    pairs = {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=True)}
    name, kind = pairs.get("file", ""), pairs.get("type", "")[:1]
    if "/" in name or "\\" in name:
        raise ManifestError("File can't be a path, just a filename")
    seq = re.match(r"\s*[-+]?\d+", pairs.get("seq", ""))
    if not name or not kind or seq is None or int(seq[0]) == 0:
        raise ManifestError("Invalid AOF manifest file format")
    return AofFile(name, int(seq[0]), kind)


def _add(manifest: Manifest, found: AofFile) -> None:
    if found.kind == BASE:
        if manifest.base is not None:
            raise ManifestError("Found duplicate base file information")
        manifest.base, manifest.base_seq = found, found.seq
    elif found.kind == HISTORY:
        manifest.history.append(found)
    elif found.kind == INCR:
        if found.seq <= manifest.incr_seq:
            raise ManifestError("Found a non-monotonic sequence number")
        manifest.incrs.append(found)
        manifest.incr_seq = found.seq
    else:
        raise ManifestError("Unknown AOF file type")


def write(manifest: Manifest, folder: Folder, directory: str, stem: str) -> tuple[str | None, bool]:
    """Put the manifest in the place of the one on the disk, in a directory in the folder.

    Returns what went wrong as Redis logs it, or None; and whether it is in that place. It may be, and something went
    wrong all the same: then a crash of the machine could bring the old one back.
    """
    placed = False
    name = stem + SUFFIX
    temporary = "temp-" + name
    path = os.path.join(directory, temporary)
    step = "Can't open the AOF manifest file {0}: {2}"
    try:
        descriptor = folder.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o644)
        try:
            step = "Error trying to write the temporary AOF manifest file {0}: {2}"
            write_all(descriptor, to_bytes(manifest.text()))
            step = "Fail to fsync the temp AOF file {0}: {2}."
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        step = "Error trying to rename the temporary AOF manifest file {0} into {1}: {2}"
        folder.rename(path, os.path.join(directory, name))
        placed = True
        step = "Fail to fsync AOF directory {1}: {2}."
        folder.sync(directory)
    except OSError as error:
        return step.format(temporary, name, error.strerror), placed
    return None, placed


def write_all(descriptor: int, data: bytes) -> None:
    """write(2) until all is written. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]
