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
from dashboard.server import tape
from dashboard.server.columns import COLUMNS_BYTES, to_columns, to_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = b"LOOPTAPE"
#: Raise this when any byte of a recording changes its meaning; a change of
#: `records.FORMAT_VERSION` is one.
VERSION = 1
HEADER = struct.Struct("<8sIIqq32s")
CHUNK = struct.Struct("<4sIIIqq")
CHUNK_MAGIC = b"CHNK"
SUFFIX = ".loopscope"
#: A chunk is closed when it has this much, raw: what is lost when the writer is killed,
#: and what a reader holds at once.
CHUNK_RAW_BYTES = 2 << 20
MAX_RAW_BYTES = 16 << 20
#: Of a whole file: 20 million records take a minute to open.
MAX_RECORDS = 20_000_000
MAX_ENTRIES = 5_000_000
MAX_UNPACKED_BYTES = 1 << 30
#: Numbers, strings and entries of a chunk: some 100 MB while it is read. What we write
#: has a few ten thousand.
MAX_VALUES = 2_000_000
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
#: What span ids of requests need: 64 bits and a sign.
MAX_NUMBER = (1 << 65) - 1
_MAX_DIGITS = 10


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


def write_chunk(
    entries: Iterable[tape.Entry], *, first_ns: int, last_ns: int, level: int = 6
) -> bytes:
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
            _put(told, entry.loop)
            _put(told, len(entry.data) // RECORD_BYTES)
            records.setdefault(entry.loop, bytearray()).extend(entry.data)
            continue
        for code, value in zip(SHAPES[kind], entry, strict=True):
            _put_value(told, code, value)
    raw = bytearray()
    _put(raw, count)
    raw += told
    for loop, data in records.items():
        _put(raw, loop)
        _put(raw, len(data) // RECORD_BYTES)
        raw += to_columns(bytes(data))
    body = zlib.compress(raw, level)
    check = zlib.crc32(body)
    return CHUNK.pack(CHUNK_MAGIC, len(body), len(raw), check, first_ns, last_ns) + body


def _put(out: bytearray, number: int) -> None:
    """Append a signed number, seven bits a byte, the lowest first."""
    number = number << 1 if number >= 0 else ~(number << 1)
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _put_value(out: bytearray, code: int, value: Any) -> None:
    if code == _INT:
        _put(out, value)
    elif code == _STR:
        data = value.encode("utf-8", "replace")
        _put(out, len(data))
        out += data
    else:
        _put(out, len(value))
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
    if len(data) >= 12 and (found := int.from_bytes(data[8:12], "little")) != VERSION:
        age = "newer" if found > VERSION else "older"
        raise RecordingFormatError(
            f"it has format {found}, {age} than the {VERSION} that this release of "
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
    records = entries = unpacked = 0
    while len(head := file.read(CHUNK.size)) == CHUNK.size:
        magic, size, raw_size, check, first_ns, last_ns = CHUNK.unpack(head)
        if magic != CHUNK_MAGIC or size > MAX_RAW_BYTES or raw_size > MAX_RAW_BYTES:
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
        chunk = Chunk(first_ns, last_ns, _read_body(body, raw_size))
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


def _read_body(body: bytes, raw_size: int) -> list[tape.Entry]:
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(body, raw_size)
    except zlib.error as error:
        raise RecordingDamaged(f"a chunk cannot be unpacked ({error})") from None
    if len(raw) != raw_size or not unpack.eof:
        raise RecordingDamaged("a chunk is not as long as it says")
    return _Body(raw).read()


class _Body:
    """A chunk's bytes, read from front to back."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._values = 0

    def read(self) -> list[tape.Entry]:
        count = self._many()
        entries: list[Any] = []
        for _ in range(count):
            number = self._take(1)[0]
            if not 1 <= number <= len(KINDS):
                raise RecordingDamaged(f"it tells of {number}, which is nothing")
            kind = KINDS[number - 1]
            if kind is tape.Records:
                # Their bytes come behind the entries.
                entries.append((self._number(), self._number()))
            else:
                entries.append(kind(*map(self._value, SHAPES[kind])))
        data: dict[int, memoryview] = {}
        while self._at < len(self._raw):
            loop, length = self._number(), self._count(COLUMNS_BYTES)
            if loop in data:
                raise RecordingDamaged("it has the records of a loop twice")
            # To take a column apart costs something, even if it is empty.
            self._spend(100)
            data[loop] = memoryview(to_records(self._take(length * COLUMNS_BYTES)))
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

    def _take(self, length: int) -> bytes:
        start, self._at = self._at, self._at + length
        if length < 0 or self._at > len(self._raw):
            raise RecordingDamaged("a chunk ends in the middle of something")
        return self._raw[start : self._at]

    def _number(self) -> int:
        raw, at = self._raw, self._at
        number = shift = 0
        for digit in raw[at : at + _MAX_DIGITS]:
            at += 1
            number |= (digit & 0x7F) << shift
            if digit < 0x80:
                if number > MAX_NUMBER:
                    break
                self._at = at
                return number >> 1 if not number & 1 else ~(number >> 1)
            shift += 7
        raise RecordingDamaged("a number has more than 64 bits")

    def _count(self, each_bytes: int = 1) -> int:
        """Read how many there are; of what takes so many bytes no more can be."""
        count = self._number()
        if not 0 <= count <= (len(self._raw) - self._at) // each_bytes:
            raise RecordingDamaged(f"it says that it has {count:,} of something")
        return count

    def _many(self, each_bytes: int = 1) -> int:
        """Read how many there are of what becomes an object each."""
        count = self._count(each_bytes)
        self._spend(count)
        return count

    def _spend(self, count: int) -> None:
        self._values += count
        if self._values > MAX_VALUES:
            raise RecordingDamaged(
                f"a chunk has more than {MAX_VALUES:,} numbers and strings"
            )

    def _value(self, code: int) -> Any:
        if code == _INT:
            return self._number()
        if code == _STR:
            return self._take(self._count()).decode("utf-8", "replace")
        if code == _FLOATS:
            count = self._many(8)
            floats = struct.unpack(f"<{count}d", self._take(8 * count))
            if not all(map(math.isfinite, floats)):
                raise RecordingDamaged("it has a number that is none")
            return floats
        count = self._many()
        return tuple(self._value(_INT if code == _INTS else _STR) for _ in range(count))
