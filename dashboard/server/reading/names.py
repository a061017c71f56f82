"""Read a ring's string table: what an index in a record stands for.

Knows where a record keeps a name and where a line of code. An index that the
table does not have gives a word that fits anything, never an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from dashboard.records import FIELD_SEPARATOR

#: Message, error, file, line, function, and whose it was.
EXCEPTION_FIELDS = 6


@dataclass(slots=True)
class Place:
    """A line of code."""

    file: str
    line: int
    function: str

    def to_wire(self) -> dict[str, object]:
        """Return it as the wire shows a culprit."""
        return {"file": self.file, "line": self.line, "function": self.function}

    def __str__(self) -> str:
        if not self.file:
            return self.function
        return f"{PurePath(self.file).name}:{self.line} in {self.function}"


class Names:
    """The strings of one ring, as far as they were read."""

    def __init__(self) -> None:
        self.strings: list[str] = [""]
        self._places: dict[int, Place] = {}
        self._reasons: dict[int, tuple[str, str]] = {}
        self._by_words: dict[str, Place] = {}
        """Of the first `_indexed` strings: by the words in which it is told."""
        self._indexed = 1

    def __repr__(self) -> str:
        return f"<Names of {len(self.strings)} strings>"

    def fields(self, index: int, count: int) -> list[str]:
        """Return the fields of a string, as many as asked for."""
        fields = self.text(index).split(FIELD_SEPARATOR)
        return (fields + [""] * count)[:count]

    def task(self, index: int) -> str:
        """Return the name of a task's coroutine."""
        return self.text(index).partition(FIELD_SEPARATOR)[0] or "task"

    def callback(self, index: int) -> str:
        """Return the name of a callback or function."""
        return self.text(index).partition(FIELD_SEPARATOR)[0] or "callback"

    def function(self, index: int) -> tuple[str, str]:
        """Return a function's name, and where it stands or "" where nobody knows."""
        name, file, line = self.fields(index, 3)
        name = name or "function"
        return name, str(Place(file, to_line(line), name)) if file else ""

    def reason(self, index: int) -> tuple[str, str]:
        """Return what is waited for, and `file:line in function` of where."""
        found = self._reasons.get(index)
        if found is None:
            what, file, line, function = self.fields(index, 4)
            found = what, str(Place(file, to_line(line), function))
            if index < len(self.strings):
                self._reasons[index] = found
        return found

    def place(self, index: int) -> Place:
        """Return the line of code of a string that says file, line, function."""
        place = self._places.get(index)
        if place is None:
            file, line, function = self.fields(index, 3)
            place = Place(file, to_line(line), function)
            if index < len(self.strings):
                self._places[index] = place
        return place

    def find_place(self, told: str) -> Place | None:
        """Return the line of code that is told so, with its whole path."""
        # Whoever may see the page may ask, as often as they like.
        for text in self.strings[self._indexed :]:
            for place in places_of(text):
                self._by_words[str(place)] = place
        self._indexed = len(self.strings)
        return self._by_words.get(told)

    def text(self, index: int) -> str:
        """Return a whole string."""
        return self.strings[index] if 0 <= index < len(self.strings) else ""


def places_of(text: str) -> list[Place]:
    """Return every line of code that a string of a ring may name."""
    fields = text.split(FIELD_SEPARATOR)
    if len(fields) < 3:
        return []
    # A function begins with its name; a place ends with its function; what the loop's
    # exception handler was told has one in its midst.
    named = [[*fields[1:3], fields[0]], fields[-3:]]
    if len(fields) == EXCEPTION_FIELDS:
        named.append(fields[2:5])
    places = [Place(file, to_line(line), function) for file, line, function in named]
    return [place for place in places if place.file and place.line]


def to_line(text: str) -> int:
    """Return a line number; 0 for what is none."""
    return int(text) if text.isdigit() else 0
