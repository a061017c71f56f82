"""Read a whole ring for a test, as records that compare and print well."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dashboard.records import FIELD_SEPARATOR, KIND_MASK, RECORD, Cell, Kind
from dashboard.ring import RingReader

if TYPE_CHECKING:
    from pathlib import Path


class Rec(NamedTuple):
    """One record."""

    kind: Kind
    t: int
    u: int
    a: int
    b: int


class Told(NamedTuple):
    """All that a ring says."""

    records: list[Rec]
    strings: list[str]
    cells: dict[Cell, int]
    data: bytes

    def of(self, *kinds: Kind) -> list[Rec]:
        """Return the records of these kinds, in the ring's order."""
        return [record for record in self.records if record.kind in kinds]

    def names(self, kind: Kind) -> list[str]:
        """Return the first field of the string of each record of a kind."""
        field = "a" if kind in (Kind.CALL, Kind.SAMPLE, Kind.DUE) else "b"
        return [
            self.strings[getattr(record, field)].partition(FIELD_SEPARATOR)[0]
            for record in self.of(kind)
        ]

    def task(self, name: str) -> int:
        """Return the number of the only task whose coroutine has that name."""
        (number,) = {
            record.a
            for record in self.of(Kind.BORN, Kind.ADOPTED)
            if self.strings[record.b].partition(FIELD_SEPARATOR)[0].endswith(name)
        }
        return number


def read_ring(path: Path) -> Told:
    """Read all records of a ring that nobody writes any more."""
    reader = RingReader(path)
    try:
        data = b""
        while chunk := reader.read(0):
            data += chunk
        cells = reader.read_cells()
        reader.read_strings(cells[Cell.STRINGS])
        records = [
            Rec(Kind(tag & KIND_MASK), t, u, a, b)
            for t, u, a, b, tag in RECORD.iter_unpack(data)
        ]
        assert reader.missed == 0
        return Told(records, reader.strings, cells, data)
    finally:
        reader.close()
