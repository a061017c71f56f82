"""Gather the code that a recording names, so that it can be read on another machine.

Of each file only the functions around lines that the recorder told, and no more of them
than anybody reads: what else stands in a file is nobody's business.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dashboard.server.diagnosis.excerpt import AROUND, read_lines
from dashboard.server.diagnosis.sources import Functions, cut_function
from dashboard.server.model.tape import Source
from dashboard.server.reading.names import places_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dashboard.server.reading.names import Place

MAX_PLACES = 2_000
MAX_CODE_BYTES = 4 << 20


class Bundle:
    """The sources of one recording, gathered as their lines are named."""

    def __init__(self) -> None:
        self._known: set[tuple[str, int]] = set()
        self._files: dict[str, tuple[Functions, int] | None] = {}
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<Bundle of {len(self._known)} places, {self._bytes} bytes>"

    def gather(self, texts: Iterable[str], *, began_unix_ns: int) -> list[Source]:
        """Return the sources of the lines that are new among these strings."""
        found = []
        for place in places_in(texts):
            key = (place.file, place.line)
            if key in self._known or len(self._known) >= MAX_PLACES:
                continue
            self._known.add(key)
            source = self._read(place, began_unix_ns)
            if source is not None and self._bytes < MAX_CODE_BYTES:
                self._bytes += len(source.code)
                found.append(source)
        return found

    def _read(self, place: Place, began_unix_ns: int) -> Source | None:
        if place.file not in self._files:
            read = read_lines(place)
            self._files[place.file] = read and (Functions(read[0]), read[1])
        file = self._files[place.file]
        if file is None:
            return None
        functions, changed_ns = file
        first, code = cut_function(functions, place.line)
        return Source(
            place.file,
            place.line,
            place.function,
            first,
            code,
            int(changed_ns > began_unix_ns),
        )


def places_in(texts: Iterable[str]) -> list[Place]:
    """Return every line of code that strings of a ring name."""
    return [place for text in texts for place in places_of(text)]


def describe_function(
    sources: Mapping[tuple[str, int], Source], place: Place
) -> dict[str, Any] | None:
    """Return what `sources.read_function` would, from a recording."""
    source = sources.get((place.file, place.line))
    if source is None:
        return None
    path = PurePath(source.file)
    return {
        "file": f"{path.parent.name}/{path.name}",
        "line": source.first,
        "function": place.function,
        "code": source.code,
        "changed": bool(source.changed),
    }


def describe_excerpt(
    sources: Mapping[tuple[str, int], Source], place: Place
) -> dict[str, object] | None:
    """Return what `excerpt.read_excerpt` would, from a recording."""
    source = sources.get((place.file, place.line))
    if source is None:
        return None
    first = max(source.first, place.line - AROUND)
    lines = source.code.split("\n")
    shown = lines[first - source.first : place.line + AROUND + 1 - source.first]
    return {
        "file": source.file,
        "line": first,
        "code": "\n".join(shown),
        "changed": bool(source.changed),
    }
