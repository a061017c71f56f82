"""One stall: how long, who, at which lines it was seen, and who had to wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dashboard.server.model import victims as held
from dashboard.server.reading.names import Place

if TYPE_CHECKING:
    from dashboard.server.model.request import Request

#: Lines of one stall that are counted one by one.
KEEP_LINES = 50
#: What took a step that was mostly a pause: no line did.
COLLECTOR = Place("", 0, "the garbage collector")
#: To have waited this part of its length for a processor is worth a word.
STARVED = 0.1


class Line(NamedTuple):
    """One line of a stack."""

    place: Place
    is_users: bool

    def to_wire(self) -> dict[str, object]:
        """Return it as `/api/stalls/…` shows it."""
        return self.place.to_wire() | {"user": self.is_users}


class Sample(NamedTuple):
    """Where a step was seen."""

    t: int
    place: Place
    stack: tuple[Line, ...]
    is_dump: bool


@dataclass(slots=True)
class Seen:
    """How often a step was seen at a line, and the stack above and below it."""

    place: Place
    stack: tuple[Line, ...]
    count: int = 0


@dataclass(slots=True)
class Stall:
    """One step longer than the threshold."""

    id: int
    loop: int
    start_ns: int
    duration_ns: int
    name: str
    blamed: Request | None = None
    over: bool = False
    unfinished: bool = False
    """Its process was gone before it ended: it has no end, and lasted as long as is known."""
    holds_lock: bool = False
    """One C call keeps the interpreter's lock: the line came from a dump."""
    seen: dict[tuple[str, int], Seen] = field(default_factory=dict)
    victims: held.Victims = field(default_factory=held.Victims)
    end_ns: int = 0
    starved_ns: int = 0
    """How long of it its thread wanted a processor that others had."""
    paused_ns: int = 0
    """How long of it the garbage collector had the interpreter."""
    threshold_ns: int = 0
    """What made it a stall, when it was found."""
    start_up: bool = False
    """A server started in it: it imported its app, or had the app start."""

    @property
    def is_on(self) -> bool:
        """Whether it goes on, as far as is known."""
        return not (self.over or self.unfinished)

    @property
    def label(self) -> str:
        """The request's method and route, or the task's or callback's name."""
        return self.blamed.label if self.blamed is not None else self.name

    @property
    def request(self) -> int:
        """The id of the request that it served, or 0."""
        return self.blamed.id if self.blamed is not None else 0

    @property
    def worst(self) -> Seen | None:
        """The line seen most often; the first of equals, which is the live one."""
        return max(self.seen.values(), key=lambda seen: seen.count, default=None)

    @property
    def is_starved(self) -> bool:
        """Whether it would be none, had its thread had a processor: no line's fault."""
        own_ns = self.duration_ns - self.starved_ns
        waited = self.starved_ns >= STARVED * self.duration_ns
        return waited and own_ns < self.threshold_ns

    @property
    def is_pause(self) -> bool:
        """Whether most of it was the garbage collector's, wherever that came."""
        return 2 * self.paused_ns > self.duration_ns

    @property
    def is_nobodys(self) -> bool:
        """Whether only other people's code was seen, and none of the user's."""
        stack = self.worst.stack if self.worst is not None else ()
        return bool(stack) and not any(line.is_users for line in stack)

    @property
    def seen_at(self) -> Place | None:
        """The line where it was, to blame or not, as far as it is known."""
        worst = self.worst
        return worst.place if worst is not None else None

    @property
    def culprit(self) -> Place | None:
        """The line to blame, as far as it is known, or the garbage collector; none if
        the machine is."""
        if self.is_starved:
            return None
        return COLLECTOR if self.is_pause else self.seen_at

    def see(self, sample: Sample) -> None:
        """Count a sample."""
        place = sample.place
        key = (place.file, place.line)
        seen = self.seen.get(key)
        if seen is None:
            if len(self.seen) >= KEEP_LINES:
                return
            seen = self.seen[key] = Seen(place, sample.stack)
        if len(place.function) > len(seen.place.function):
            # A dump knows a method by its bare name, a sample by its full one.
            seen.place, seen.stack = place, sample.stack or seen.stack
        seen.count += 1
        self.holds_lock |= sample.is_dump

    def to_wire(self) -> dict[str, object]:
        """Return the stall as frames and `/api/state` show it."""
        culprit = self.culprit
        return {
            "id": self.id,
            "loop": self.loop,
            "start_ns": self.start_ns,
            "duration_ms": round(self.duration_ns / 1e6, 3),
            "over": self.over,
            "unfinished": self.unfinished,
            "start_up": self.start_up,
            "starved_ms": round(self.starved_ns / 1e6, 3),
            "starved": self.is_starved,
            "label": self.label,
            "request": self.request,
            "culprit": culprit.to_wire() if culprit else None,
            "holds_lock": self.holds_lock,
            "victims": self.victims.to_wire(),
        }

    def describe(self) -> dict[str, object]:
        """Return all that is known of it, for `/api/stalls/…`."""
        worst = self.worst
        total = sum(seen.count for seen in self.seen.values()) or 1
        by_count = sorted(self.seen.values(), key=lambda seen: -seen.count)
        return self.to_wire() | {
            "stack": [line.to_wire() for line in worst.stack] if worst else [],
            "samples": [
                seen.place.to_wire()
                | {"count": seen.count, "share": round(seen.count / total, 3)}
                for seen in by_count
            ],
            "held_up": self.victims.listed(),
        }
