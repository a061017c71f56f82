"""Where everything stands in a ring file, and the header that says so.

```text
0        identity (HEADER): magic, version, sizes, pid, clocks, names
2048     cells: live numbers, one int64 each (records.Cell)
4096     string table: uint16 length + UTF-8, append only
4096+S   records: `capacity` slots of 32 bytes
```
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dashboard.errors import RingDamaged, RingFormatError
from dashboard.records import FORMAT_VERSION, RECORD_BYTES

if TYPE_CHECKING:
    from mmap import mmap
    from pathlib import Path

MAGIC = b"LOOPSCOP"
HEADER = struct.Struct("<8sIIIIQIIqqQ16s16s128s")
CELLS_AT = 2048
STRINGS_AT = 4096
#: A string per await site, route and function of a large app fits several times.
STRINGS_BYTES = 256 << 10
RECORDS_AT = STRINGS_AT + STRINGS_BYTES
#: A header that asks for more than this (64 MiB of records) is not one of ours.
MAX_CAPACITY = 1 << 21


@dataclass(frozen=True, slots=True)
class Identity:
    """Who wrote a ring: everything about it that never changes."""

    pid: int
    loop_no: int
    """Number of the loop within its process, from 1."""
    began_ns: int
    """Monotonic clock when recording began."""
    began_unix_ns: int
    """Wall clock at the same moment."""
    pid_began: int
    """The process's start time in clock ticks since boot, against reused pids;
    0 where the system does not tell."""
    kind: str
    """`asyncio` or `uvloop`."""
    python: str
    title: str


class Header(NamedTuple):
    """What the beginning of a ring says."""

    identity: Identity
    records_at: int
    strings_bytes: int
    capacity: int
    """How many records a lap has."""


def write_header(buffer: mmap, identity: Identity, *, capacity: int) -> None:
    """Say at the beginning of a ring whose it is and how it is laid out."""
    HEADER.pack_into(
        buffer,
        0,
        MAGIC,
        FORMAT_VERSION,
        RECORDS_AT,
        STRINGS_BYTES,
        RECORD_BYTES,
        capacity,
        identity.pid,
        identity.loop_no,
        identity.began_ns,
        identity.began_unix_ns,
        identity.pid_began,
        cut(identity.kind, 16 - 1),
        cut(identity.python, 16 - 1),
        cut(identity.title, 128 - 1),
    )


def read_header(descriptor: int, path: Path) -> Header:
    """Read what a ring says of itself; raise RingError if it is none of ours."""
    try:
        data = os.pread(descriptor, HEADER.size, 0)
    except OSError as error:
        # A folder, a pipe.
        raise RingDamaged(
            f"{path.name} is not a ring ({error.strerror}); it is left out, delete it"
        ) from error
    if not data.startswith(MAGIC):
        raise RingDamaged(
            f"{path.name} is not a ring (it begins with {data[:8]!r}, "
            f"not {MAGIC!r}); it is left out, delete it"
        )
    if len(data) < HEADER.size:
        raise RingDamaged(
            f"{path.name} is not a ring (it has {len(data)} bytes, "
            f"{HEADER.size} of a header alone are needed); it is left out, delete it"
        )
    fields = HEADER.unpack(data)
    if fields[1] != FORMAT_VERSION:
        raise RingFormatError(path.name, found=fields[1], known=FORMAT_VERSION)
    records_at, strings_bytes, record_bytes, capacity = fields[2:6]
    needed = records_at + capacity * record_bytes
    found = os.fstat(descriptor).st_size
    if (
        record_bytes != RECORD_BYTES
        or not 1 <= capacity <= MAX_CAPACITY
        or records_at != STRINGS_AT + strings_bytes
        or found < needed
    ):
        raise RingDamaged(
            f"{path.name} is damaged (it has {found} bytes, its header needs "
            f"{needed}); it is left out, delete it"
        )
    kind, python, title = (
        field.split(b"\0")[0].decode("utf-8", "replace") for field in fields[11:14]
    )
    pid, loop_no, began_ns, began_unix_ns, pid_began = fields[6:11]
    identity = Identity(
        pid, loop_no, began_ns, began_unix_ns, pid_began, kind, python, title
    )
    return Header(identity, records_at, strings_bytes, capacity)


def cut(text: str, size_bytes: int) -> bytes:
    """Return at most `size_bytes` of `text`, without cutting a character in half."""
    data = text.encode("utf-8", "replace")[:size_bytes]
    return data.decode(errors="ignore").encode()
