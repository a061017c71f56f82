"""A recording's bytes: what a tape says, in chunks that are written one after the other.

ARCHITECTURE.md says what stands where. A file that is still being written, or was cut
off, has whole chunks up to some point, and can be read that far. Reading trusts no
number of the file: all sizes are bounded before anything is made of them.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, get_type_hints

from dashboard import __version__
from dashboard.errors import (
    RecordingDamaged,
    RecordingFormatError,
    RecordingTooLarge,
)
from dashboard.records import RECORD_BYTES
from dashboard.server.model import tape
from dashboard.server.recordings.columns import COLUMNS_BYTES, to_columns, to_records
from dashboard.server.recordings.packing import Unpacker, put_number, put_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = b"LOOPTAPE"
#: Raise this when any byte of a recording changes its meaning; a change of
#: `records.FORMAT_VERSION` is one.
VERSION = 2
#: The first knew no pictures, and all else as now.
OLDEST = 1
HEADER = struct.Struct("<8sIIqq32s")
CHUNK = struct.Struct("<4sIIIqq")
CHUNK_MAGIC = b"CHNK"
#: A picture of what the next chunk tells (`drawn.py`), with the same head.
DRAWN_MAGIC = b"DRWN"
SUFFIX = ".loopscope"
#: A chunk is closed when it has this much, raw: what is lost when the writer is killed,
#: and what a reader holds at once.
CHUNK_RAW_BYTES = 2 << 20
MAX_RAW_BYTES = 16 << 20
#: Of a whole file: 20 million records take a minute to open.
MAX_RECORDS = 20_000_000
MAX_ENTRIES = 5_000_000
MAX_UNPACKED_BYTES = 1 << 30
#: The kinds of entries, by the number that stands for them. Append only.
KINDS: tuple[type[Any], ...] = (
    tape.Loop,
    tape.Strings,
    tape.Records,
    tape.Tick,
    tape.Seen,
    tape.Lost,
    tape.Still,
    tape.Arrived,
    tape.Stack,
    tape.Sent,
    tape.Settled,
    tape.Look,
    tape.Advised,
    tape.Frame,
    tape.Threshold,
    tape.Source,
    tape.Starved,
)
_NUMBERS = {kind: number for number, kind in enumerate(KINDS, 1)}
_INT, _STR, _BYTES, _INTS, _STRS, _FLOATS = range(6)
_CODES = {
    int: _INT,
    str: _STR,
    bytes: _BYTES,
    tuple[int, ...]: _INTS,
    tuple[str, ...]: _STRS,
    tuple[float, ...]: _FLOATS,
}
#: Of each kind, how its fields are written.
SHAPES = {
    kind: tuple(_CODES[hint] for hint in get_type_hints(kind).values())
    for kind in KINDS
}


class Head(NamedTuple):
    """What the beginning of a recording says."""

    origin_ns: int
    """Where its times count from, on the monotonic clock of its machine."""
    origin_unix_ns: int
    release: str


class Chunk(NamedTuple):
    """A whole chunk: from when to when, and what was told meanwhile."""

    first_ns: int
    last_ns: int
    entries: list[tape.Entry]


# ------------------------------------------------------------------------ writing


def write_head(head: Head) -> bytes:
    """Return the bytes that a recording begins with."""
    return HEADER.pack(
        MAGIC,
        VERSION,
        HEADER.size,
        head.origin_ns,
        head.origin_unix_ns,
        head.release.encode()[:32],
    )


def new_head(origin_ns: int, origin_unix_ns: int) -> Head:
    """Return the head of a recording by this release."""
    return Head(origin_ns, origin_unix_ns, __version__)


def write_chunk(entries: Iterable[tape.Entry], *, first_ns: int, last_ns: int) -> bytes:
    """Return the bytes of a chunk; about 0.5 µs and a few bytes a record."""
    told = bytearray()
    records: dict[int, bytearray] = {}
    count = 0
    for entry in entries:
        count += 1
        kind = type(entry)
        told.append(_NUMBERS[kind])
        if isinstance(entry, tape.Records):
            # All of a loop's stand together, behind the entries.
            put_number(told, entry.loop)
            put_number(told, len(entry.data) // RECORD_BYTES)
            records.setdefault(entry.loop, bytearray()).extend(entry.data)
            continue
        for code, value in zip(SHAPES[kind], entry, strict=True):
            _put_value(told, code, value)
    raw = bytearray()
    put_number(raw, count)
    raw += told
    for loop, data in records.items():
        put_number(raw, loop)
        put_number(raw, len(data) // RECORD_BYTES)
        raw += to_columns(bytes(data))
    return _pack(CHUNK_MAGIC, raw, first_ns, last_ns)


def write_drawn(raw: bytes, *, first_ns: int, last_ns: int) -> bytes:
    """Return the bytes of a picture of the chunk that comes behind it."""
    return _pack(DRAWN_MAGIC, raw, first_ns, last_ns)


def _pack(magic: bytes, raw: bytes | bytearray, first_ns: int, last_ns: int) -> bytes:
    body = zlib.compress(raw)
    head = CHUNK.pack(magic, len(body), len(raw), zlib.crc32(body), first_ns, last_ns)
    return head + body


def _put_value(out: bytearray, code: int, value: Any) -> None:
    if code == _INT:
        put_number(out, value)
    elif code == _STR:
        put_text(out, value)
    else:
        put_number(out, len(value))
        if code == _FLOATS:
            out += struct.pack(f"<{len(value)}d", *value)
        else:
            for each in value:
                _put_value(out, _INT if code == _INTS else _STR, each)


# ------------------------------------------------------------------------ reading


def read_head(file: BinaryIO) -> Head:
    """Read how a recording begins.

    Raises:
        RecordingDamaged: the file is none.
        RecordingFormatError: another release wrote it, in another format.
    """
    data = file.read(HEADER.size)
    if not data.startswith(MAGIC):
        if data[:9].lower() == b"<!doctype":
            raise RecordingDamaged("it is a page: a browser opens it")
        if data.startswith(b'{"trace'):
            raise RecordingDamaged("it is a trace: Perfetto opens it")
        raise RecordingDamaged(
            f"it begins with {data[:8]!r}, where a recording has {MAGIC!r}"
        )
    found = int.from_bytes(data[8:12], "little")
    if len(data) >= 12 and not OLDEST <= found <= VERSION:
        age, known = ("newer", VERSION) if found > VERSION else ("older", OLDEST)
        raise RecordingFormatError(
            f"it has format {found}, {age} than the {known} that this release of "
            f"loopscope reads ({__version__}); open it with the one that wrote it"
        )
    if len(data) < HEADER.size:
        raise RecordingDamaged(f"it ends after {len(data)} bytes, in its head")
    _, _, _, origin_ns, origin_unix_ns, release = HEADER.unpack(data)
    return Head(
        origin_ns, origin_unix_ns, release.rstrip(b"\0").decode("utf-8", "replace")
    )


def read_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield the whole chunks that follow the head, as far as there are any.

    Raises:
        RecordingDamaged: there is something else.
        RecordingTooLarge: it is more than can be opened.
    """
    records = entries = 0
    for part in read_parts(file):
        if part.is_drawn:
            continue
        chunk = Chunk(part.first_ns, part.last_ns, _Body(part.unpack()).read())
        entries += len(chunk.entries)
        records += sum(
            len(entry.data) // RECORD_BYTES
            for entry in chunk.entries
            if isinstance(entry, tape.Records)
        )
        if records > MAX_RECORDS or entries > MAX_ENTRIES:
            raise RecordingTooLarge(
                f"it has more than {MAX_RECORDS:,} records, "
                f"or {MAX_ENTRIES:,} of what else is told"
            )
        yield chunk


class Part(NamedTuple):
    """A chunk or a picture, as it lies in the file."""

    is_drawn: bool
    first_ns: int
    last_ns: int
    raw_size: int
    body: bytes

    def unpack(self) -> bytes:
        """Return what is in it.

        Raises:
            RecordingDamaged: it is not what its head says.
        """
        unpack = zlib.decompressobj()
        try:
            raw = unpack.decompress(self.body, self.raw_size)
        except zlib.error as error:
            raise RecordingDamaged(f"a chunk cannot be unpacked ({error})") from None
        if len(raw) != self.raw_size or not unpack.eof:
            raise RecordingDamaged("a chunk is not as long as it says")
        return raw


def read_parts(file: BinaryIO) -> Iterator[Part]:
    """Yield what follows the head, packed as it is, as far as it is whole.

    Raises:
        RecordingDamaged: there is something else.
        RecordingTooLarge: it is more than can be opened.
    """
    unpacked = 0
    while len(head := file.read(CHUNK.size)) == CHUNK.size:
        magic, size, raw_size, check, first_ns, last_ns = CHUNK.unpack(head)
        is_known = magic in (CHUNK_MAGIC, DRAWN_MAGIC)
        if not is_known or size > MAX_RAW_BYTES or raw_size > MAX_RAW_BYTES:
            raise RecordingDamaged("there is no chunk where one should begin")
        body = file.read(size)
        if len(body) < size:
            return
        unpacked += raw_size
        if unpacked > MAX_UNPACKED_BYTES:
            raise RecordingTooLarge(
                f"it has more than {MAX_UNPACKED_BYTES >> 20:,} MB when unpacked"
            )
        if zlib.crc32(body) != check:
            raise RecordingDamaged("a chunk is not what its check sum says")
        yield Part(magic == DRAWN_MAGIC, first_ns, last_ns, raw_size, body)


class _Body(Unpacker):
    """A chunk's bytes, read from front to back."""

    def read(self) -> list[tape.Entry]:
        count = self.many()
        entries: list[Any] = []
        for _ in range(count):
            number = self.take(1)[0]
            if not 1 <= number <= len(KINDS):
                raise RecordingDamaged(f"it tells of {number}, which is nothing")
            kind = KINDS[number - 1]
            if kind is tape.Records:
                # Their bytes come behind the entries.
                entries.append((self.number(), self.number()))
            else:
                entries.append(kind(*map(self._value, SHAPES[kind])))
        data: dict[int, memoryview] = {}
        while not self.is_over:
            loop, length = self.number(), self.count(COLUMNS_BYTES)
            if loop in data:
                raise RecordingDamaged("it has the records of a loop twice")
            # To take a column apart costs something, even if it is empty.
            self.spend(100)
            data[loop] = memoryview(to_records(self.take(length * COLUMNS_BYTES)))
        taken = dict.fromkeys(data, 0)
        for index, entry in enumerate(entries):
            if type(entry) is tuple:
                loop, length = entry
                at = taken.get(loop, 0)
                taken[loop] = end = at + length * RECORD_BYTES
                if length < 0 or loop not in data or end > len(data[loop]):
                    raise RecordingDamaged("it has fewer records than it says")
                entries[index] = tape.Records(loop, bytes(data[loop][at:end]))
        return entries

    def _value(self, code: int) -> Any:
        if code == _INT:
            return self.number()
        if code == _STR:
            return self.text()
        if code == _FLOATS:
            count = self.many(8)
            floats = struct.unpack(f"<{count}d", self.take(8 * count))
            if not all(map(math.isfinite, floats)):
                raise RecordingDamaged("it has a number that is none")
            return floats
        count = self.many()
        return tuple(self._value(_INT if code == _INTS else _STR) for _ in range(count))
