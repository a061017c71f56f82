"""Records in columns, so that what is alike stands together and packs well.

A record is 32 bytes, of which few are news: steps follow each other without a gap, and
most numbers are small. Exact: what comes out is what went in, but for the lap.
"""

from __future__ import annotations

from array import array

from dashboard.errors import RecordingDamaged
from dashboard.records import LAP_SHIFT, RECORD_BYTES, Kind

#: Kinds of which `t` and `u` are beginning and end of what lasted.
LASTING = frozenset(
    map(
        int,
        (
            Kind.STEP_WAITING,
            Kind.STEP_READY,
            Kind.STEP_DONE,
            Kind.STEP_RAISED,
            Kind.STEP_CANCELLED,
            Kind.CALL,
            Kind.POLL,
        ),
    )
)
#: Kinds of which `u` is a moment near `t`.
NEAR = frozenset(map(int, (Kind.DUE, Kind.SAMPLE, Kind.FRAME, Kind.EAGER, Kind.PHASE)))
MASK = (1 << 64) - 1
HALF = 1 << 63
#: Bytes of a record in columns: kind, t, u, a, b.
COLUMNS_BYTES = 1 + 8 + 8 + 4 + 4


def to_columns(data: bytes) -> bytes:
    """Return records as columns, of `COLUMNS_BYTES` for each of them."""
    kinds = data[24::RECORD_BYTES]
    longs = memoryview(data).cast("q")
    ints = memoryview(data).cast("I")
    starts, ends = array("Q"), array("Q")
    last = 0
    for kind, t, u in zip(
        kinds, longs[0::4].tolist(), longs[1::4].tolist(), strict=True
    ):
        starts.append((t - last) & MASK)
        if kind in LASTING:
            ends.append((u - t) & MASK)
            last = u
        else:
            ends.append((u - t) & MASK if kind in NEAR else u & MASK)
    return b"".join(
        (
            kinds,
            *planes(starts),
            *planes(ends),
            *planes(array("I", ints[4::8].tolist())),
            *planes(array("I", ints[5::8].tolist())),
        )
    )


def to_records(columns: bytes) -> bytes:
    """Return the records of columns, all of lap 1.

    Raises:
        RecordingDamaged: a kind is none, or the columns are not of one length.
    """
    count, rest = divmod(len(columns), COLUMNS_BYTES)
    kinds = columns[:count]
    if rest or (count and not 0 < min(kinds) <= max(kinds) <= max(Kind)):
        raise RecordingDamaged("its records are of no known kind")
    if not count:
        return b""
    at = count
    starts = join_planes(columns[at : at + 8 * count], "Q")
    ends = join_planes(columns[at + 8 * count : at + 16 * count], "Q")
    at += 16 * count
    ts, us = array("Q"), array("Q")
    last = 0
    for kind, t, u in zip(kinds, starts, ends, strict=True):
        t = (last + t) & MASK
        ts.append(t)
        if kind in LASTING:
            last = (t + u) & MASK
            us.append(last)
        else:
            us.append((t + u) & MASK if kind in NEAR else u)
    data = bytearray(RECORD_BYTES * count)
    longs = memoryview(data).cast("Q")
    longs[0::4], longs[1::4] = memoryview(ts), memoryview(us)
    ints = memoryview(data).cast("I")
    ints[4::8] = memoryview(join_planes(columns[at : at + 4 * count], "I"))
    ints[5::8] = memoryview(join_planes(columns[at + 4 * count :], "I"))
    data[24::RECORD_BYTES] = kinds
    data[24 + LAP_SHIFT // 8 :: RECORD_BYTES] = b"\1" * count
    return bytes(data)


def moments(data: bytes) -> list[int]:
    """Return the times of records; those of a REQUEST_TRACE are none."""
    kinds = data[24::RECORD_BYTES]
    times = memoryview(data).cast("q")[0::4].tolist()
    if Kind.REQUEST_TRACE not in kinds:
        return times
    return [
        t for kind, t in zip(kinds, times, strict=True) if kind != Kind.REQUEST_TRACE
    ]


def span_of(data: bytes) -> tuple[int, ...]:
    """Return the first and the last moment that records tell of; none of no records."""
    times = moments(data)
    if not times:
        return ()
    kinds = data[24::RECORD_BYTES]
    ends = memoryview(data).cast("q")[1::4].tolist()
    lasted = [u for kind, u in zip(kinds, ends, strict=True) if kind in LASTING]
    return min(times), max(max(times), max(lasted, default=0))


def planes(values: array[int]) -> list[bytes]:
    """Return all lowest bytes, then all second ones, and so on."""
    data, width = values.tobytes(), values.itemsize
    return [data[byte::width] for byte in range(width)]


def join_planes(data: bytes, code: str) -> array[int]:
    """Return what `planes` took apart, as numbers of this type code."""
    width = array(code).itemsize
    count = len(data) // width
    joined = bytearray(len(data))
    for byte in range(width):
        joined[byte::width] = data[byte * count : (byte + 1) * count]
    return array(code, bytes(joined))
