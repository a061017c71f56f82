"""Damage is counted and passed: what stands around it is read."""

from __future__ import annotations

import os
import random

import pytest

from dashboard.records import (
    KIND_MASK,
    LAP_SHIFT,
    RECORD,
    RECORD_BYTES,
    Cell,
    Kind,
)
from dashboard.ring.layout import RECORDS_AT
from dashboard.ring.reader import HOLE_PATIENCE_NS, READ_CHUNK

POLL = int(Kind.POLL)


@pytest.mark.parametrize("slot", [0, 3, 7])
@pytest.mark.parametrize("lap", [1, 2])
def test_hole_is_waited_for(pair, slot, lap):
    """A slot that is reserved and not yet written is waited for, wherever it is."""
    ring = pair(capacity=8)
    before = []
    for _ in range(8 * (lap - 1) + slot):
        ring.write()
        before += ring.read_all()
    ring.write()
    at = RECORDS_AT + slot * RECORD_BYTES
    late = bytes(ring.writer.buffer[at : at + RECORD_BYTES])
    ring.put(slot, bytes(RECORD_BYTES))
    ring.write(3)
    early = ring.read_all(now_ns=0) + ring.read_all(now_ns=HOLE_PATIENCE_NS - 1)
    ring.put(slot, late)
    rest = ring.read_all(now_ns=HOLE_PATIENCE_NS - 1)

    assert early == []
    assert before + rest == list(range(ring.written))
    assert ring.account() == f"{ring.written} read, 0 missed, 0 damaged>"


@pytest.mark.parametrize("slot", [0, 3, 7])
def test_hole_is_given_up(pair, slot):
    """A slot that nobody fills is counted once its time is over; the rest is read."""
    ring = pair(capacity=8)
    ring.write(slot)
    before = ring.read_all()
    ring.write(1)
    ring.put(slot, bytes(RECORD_BYTES))
    ring.write(3)
    waited = ring.read_all(now_ns=0)
    rest = ring.read_all(now_ns=HOLE_PATIENCE_NS)

    assert (before, waited) == (list(range(slot)), [])
    assert rest == [slot + 1, slot + 2, slot + 3]
    assert ring.account() == f"{slot + 4} read, 1 missed, 0 damaged>"


def test_half_written(pair):
    """A record whose tag is still the last lap's is not read until it is whole."""
    ring = pair(capacity=8)
    ring.write(8)
    ring.read_all()
    ring.put(0, RECORD.pack(8, 0, 0, 0, 0)[:24])
    half = ring.read_all(now_ns=0), ring.read_all(now_ns=10 * HOLE_PATIENCE_NS)
    ring.write(1)
    whole = ring.read_all()

    assert (half, whole) == (([], []), [8])
    assert ring.account() == "9 read, 0 missed, 0 damaged>"


@pytest.mark.parametrize("begin", [0, 44, 50, 54])
def test_garbage(pair, begin):
    """Bytes that are no record are counted as damaged; what is around is read."""
    ring = pair(capacity=64)
    ring.write(begin)
    ring.read_all()
    ring.write(30)
    for number in range(begin + 10, begin + 16):
        ring.put(number % 64, b"\xa5" * RECORD_BYTES)
    rest = ring.read_all()

    assert rest == [*range(begin, begin + 10), *range(begin + 16, begin + 30)]
    assert ring.account() == f"{begin + 30} read, 6 missed, 6 damaged>"


@pytest.mark.parametrize("kind", [0, max(Kind) + 1, KIND_MASK])
def test_unknown_kind(pair, kind):
    """A record of a kind that does not exist is damage, and one record only."""
    ring = pair(capacity=8)
    ring.write(4)
    ring.put(1, RECORD.pack(1, 0, 0, 0, (1 << LAP_SHIFT) + kind))

    numbers = ring.read_all(0) + ring.read_all(HOLE_PATIENCE_NS)

    assert numbers == [0, 2, 3]
    assert ring.reader.missed == 1


@pytest.mark.parametrize("ahead", [1, 5, 10**6])
def test_slot_from_the_future(pair, ahead):
    """One slot that claims a later lap does not lead the reader away."""
    ring = pair(capacity=64)
    ring.write(20)
    ring.put(3, RECORD.pack(0, 0, 0, 0, ((1 + ahead) << LAP_SHIFT) + POLL))
    numbers = ring.read_all(0) + ring.read_all(HOLE_PATIENCE_NS)
    ring.write(100)
    later = ring.read_all(HOLE_PATIENCE_NS)

    assert numbers == [0, 1, 2, *range(4, 20)]
    assert later[-1] == 119


@pytest.mark.parametrize("byte", [b"\x5a", b"\0"])
def test_large_damage(pair, byte):
    """Damage longer than one read ends; what comes after it is read."""
    capacity = 3 * READ_CHUNK
    ring = pair(capacity)
    ring.write(capacity)
    ring.put(10, byte * (RECORD_BYTES * (READ_CHUNK + 100)))
    numbers = ring.read_all(0) + ring.read_all(HOLE_PATIENCE_NS)

    assert numbers[:10] == list(range(10))
    assert numbers[10] <= 2 * READ_CHUNK + 10
    assert numbers[10:] == list(range(numbers[10], capacity))
    assert len(numbers) + ring.reader.missed == capacity


@pytest.mark.parametrize("seed", range(20))
def test_random_damage(pair, seed):
    """Whatever bytes a ring holds, reading ends, and finds the writer again."""
    chance = random.Random(seed)
    ring = pair(capacity=32)
    now_ns = 0
    for _ in range(20):
        ring.write(chance.randrange(40))
        for _ in range(chance.randrange(4)):
            size = chance.randrange(1, 100)
            at = RECORDS_AT + chance.randrange(32 * RECORD_BYTES - size)
            ring.writer.buffer[at : at + size] = chance.randbytes(size)
        ring.read_all(now_ns)
        now_ns += chance.choice([0, HOLE_PATIENCE_NS])
    for _ in range(5):
        ring.write(30)
        numbers = ring.read_all(now_ns)
        now_ns += HOLE_PATIENCE_NS
        numbers += ring.read_all(now_ns)

    assert numbers[-10:] == list(range(ring.written - 10, ring.written))
    read_and_missed = int(ring.account().split()[0])
    assert read_and_missed == ring.written


@pytest.mark.parametrize("size", [0, 1000, RECORDS_AT + 3 * RECORD_BYTES + 5])
def test_shrinks_under_the_reader(pair, size):
    """A file that is cut while it is followed does the reader no harm."""
    ring = pair(capacity=8)
    ring.write(6)
    os.truncate(ring.path, size)
    numbers = ring.read_all()
    cells = ring.reader.read_cells()
    ring.reader.read_strings(2**40)

    assert numbers == list(range(3 if size > RECORDS_AT else 0))
    assert set(cells) == set(Cell)
    assert set(ring.reader.strings) == {""}


def test_deleted_under_the_reader(pair):
    """A ring whose file is deleted is followed to its end."""
    ring = pair(capacity=8)
    ring.write(6)
    ring.path.unlink()
    ring.write(2)

    assert ring.read_all() == list(range(8))
