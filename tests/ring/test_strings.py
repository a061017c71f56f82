"""Strings of a ring keep their index and arrive before they are used."""

from __future__ import annotations

from dashboard.records import (
    Cell,
)
from dashboard.ring.layout import STRINGS_BYTES
from dashboard.ring.writer import MAX_STRING_BYTES


def test_strings(pair):
    """Strings keep their index, are stored once, and come in pieces as they grow."""
    ring = pair()
    first = [ring.writer.intern(text) for text in ("main", "π", "main", "")]
    used = ring.reader.read_cells()[Cell.STRINGS]
    ring.reader.read_strings(used)
    early = list(ring.reader.strings)
    late = ring.writer.intern("a\x1fb")
    ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])
    ring.reader.read_strings(used)

    assert (first, late) == ([1, 2, 1, 0], 3)
    assert early == ["", "main", "π"]
    assert ring.reader.strings == ["", "main", "π", "a\x1fb"]


def test_strings_are_told_before_they_are_used(pair):
    """Whoever gets an index, in whatever thread, finds its string counted already."""
    ring = pair()
    known = ring.writer._known

    class Watched(dict):
        def __setitem__(self, text, index):
            ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])
            assert ring.reader.strings[index] == text
            super().__setitem__(text, index)

    ring.writer._known = Watched(known)
    indices = [ring.writer.intern(text) for text in "abc"]

    assert indices == [1, 2, 3]


def test_long_string(pair):
    """A long string is cut between two characters."""
    ring = pair()
    ring.writer.intern("x" + "é" * MAX_STRING_BYTES)
    ring.writer.intern("\udcff")
    ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])

    assert ring.reader.strings[1:] == ["x" + "é" * ((MAX_STRING_BYTES - 1) // 2), "?"]


def test_full_string_table(pair):
    """A full table names nothing new any more, and keeps what it has."""
    ring = pair()
    texts = [f"{number:04}" + "x" * 1000 for number in range(400)]
    indices = [ring.writer.intern(text) for text in texts]
    room = STRINGS_BYTES // 1006
    ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])

    assert indices == [*range(1, room + 1)] + [0] * (400 - room)
    assert ring.reader.strings == ["", *texts[:room]]
    assert ring.writer.intern(texts[0]) == 1
    assert ring.writer.intern("y" * 5000) == 0


def test_strings_claimed_beyond_the_table(pair):
    """A header that claims more strings than there are is not believed."""
    ring = pair()
    ring.writer.intern("main")
    ring.reader.read_strings(2**60)

    assert ring.reader.strings[:2] == ["", "main"]
    assert len(ring.reader.strings) <= STRINGS_BYTES // 2 + 1
