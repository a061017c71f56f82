"""Whom a stall held up, each for how long: requests, tasks, timers, nobody twice.

What the loop's records and the senders tell is exact. Requests that only the
kernel has seen, as others sent them, are counted where they wait; when they came is
known to within a frame. No clock and no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nlargest
from typing import TYPE_CHECKING, NamedTuple

from dashboard.server.model.lanes import State

if TYPE_CHECKING:
    from dashboard.server.model.loop_model import LoopModel
    from dashboard.server.model.request import Request
    from dashboard.server.model.splits import Requests
    from dashboard.server.model.task import Task

#: Victims of one stall that are known one by one; of more only the sum is.
MAX_KNOWN = 1000
#: Their lanes, for the picture.
MAX_LANES = 200
MAX_LISTED = 50
#: Tasks that a sentence names, if there are no more.
MAX_NAMED = 3
HELD_UP = frozenset({State.READY, State.DUE, State.OUTSIDE})

REQUEST, TASK, TIMER = "request", "task", "timer"


class Key(NamedTuple):
    """Who it is, so that nobody is counted twice."""

    kind: str
    number: int


@dataclass(slots=True)
class Victim:
    """One who was held up."""

    name: str
    delay_ns: int
    lane: int = 0
    request: Request | None = None

    @property
    def label(self) -> str:
        """Its request's method and route as far as they are known by now, or a name."""
        return self.request.label if self.request is not None else self.name


@dataclass(slots=True)
class Sum:
    """Several victims together."""

    count: int = 0
    delay_ns: int = 0
    worst: str = ""
    worst_ns: int = 0

    def add(self, label: str, delay_ns: int, count: int = 1, most_ns: int = 0) -> None:
        """Add `count` victims of one label; `most_ns` is the worst one's delay."""
        self.count += count
        self.delay_ns += delay_ns
        most_ns = most_ns or delay_ns
        if count and most_ns > self.worst_ns:
            self.worst, self.worst_ns = label, most_ns

    def to_wire(self) -> dict[str, object]:
        """Return it as a stall shows it."""
        return {
            "count": self.count,
            "delay_ms": round(self.delay_ns / 1e6, 3),
            "worst": self.worst,
            "worst_ms": round(self.worst_ns / 1e6, 3),
        }


class Stretch(NamedTuple):
    """The kernel's queues between two looks: so many at its beginning and its end."""

    began_ns: int
    began: float
    end_ns: int
    end: float

    def at(self, t: int) -> float:
        """How many there were at `t`, as if they came evenly."""
        share = (t - self.began_ns) / (self.end_ns - self.began_ns)
        return self.began + (self.end - self.began) * share


@dataclass(slots=True)
class Door:
    """Requests that only the kernel has seen, during one step.

    Their delays together are the area below the queue's length over time.
    """

    began_ns: int
    end_ns: int = 1 << 62
    seen_ns: int = 0
    count: int = 0
    last: float = 0
    area_ns: float = 0
    first_ns: int = 0
    """About when the first of them came."""

    def add(self, stretch: Stretch) -> None:
        """Take in what of a stretch lies within the step."""
        a, b = max(stretch.began_ns, self.began_ns), min(stretch.end_ns, self.end_ns)
        if b <= a:
            return
        first, self.last = stretch.at(a), stretch.at(b)
        self.area_ns += (first + self.last) / 2 * (b - a)
        self.seen_ns = stretch.end_ns
        self.count = max(self.count, round(self.last))
        if self.count and not self.first_ns:
            self.first_ns = a if first >= 0.5 else (a + b) // 2

    def delay_until(self, end_ns: int) -> int:
        """Return the delays together, the last look's count lasting until `end_ns`."""
        if not self.seen_ns:
            return 0
        return round(self.area_ns + self.last * max(0, end_ns - self.seen_ns))


@dataclass(slots=True)
class Victims:
    """The victims of one stall."""

    known: dict[Key, Victim] = field(default_factory=dict)
    more: Sum = field(default_factory=Sum)
    """Tasks beyond `MAX_KNOWN`."""
    door: Door | None = None
    end_ns: int = 0

    def hold(self, key: Key, victim: Victim) -> None:
        """Somebody was held up that long, or longer than was known."""
        found = self.known.get(key)
        if found is not None:
            found.delay_ns = max(found.delay_ns, victim.delay_ns)
        elif len(self.known) < MAX_KNOWN:
            self.known[key] = victim
        else:
            self.more.add(victim.label, victim.delay_ns)

    def sums(self) -> tuple[Sum, Sum]:
        """Return the requests, those at the door included, and all others."""
        requests, others = Sum(), Sum()
        for key, victim in self.known.items():
            total = requests if key.kind == REQUEST else others
            total.add(victim.label, victim.delay_ns)
        door = self.door
        if door is not None and door.count:
            worst_ns = max(0, self.end_ns - door.first_ns)
            requests.add(
                "one at the door", door.delay_until(self.end_ns), door.count, worst_ns
            )
        more = self.more
        others.add(more.worst, more.delay_ns, more.count, more.worst_ns)
        return requests, others

    def to_wire(self) -> dict[str, object]:
        """Return the numbers that frames and `/api/state` show."""
        requests, others = self.sums()
        lanes = [victim.lane for victim in self.known.values() if victim.lane]
        return requests.to_wire() | {
            "door": self.door.count if self.door is not None else 0,
            "others": others.to_wire() | {"named": self._named()},
            "lanes": lanes[:MAX_LANES],
            "words": words(requests, others),
        }

    def _named(self) -> list[dict[str, object]]:
        """Return the worst of the tasks and timers, as many as a sentence names."""
        others = (v for key, v in self.known.items() if key.kind != REQUEST)
        worst = nlargest(MAX_NAMED, others, key=lambda victim: victim.delay_ns)
        return [
            {"label": each.label, "delay_ms": round(each.delay_ns / 1e6, 3)}
            for each in worst
        ]

    def listed(self) -> list[dict[str, object]]:
        """Return the worst of those that are known one by one."""
        worst = sorted(self.known.items(), key=lambda item: -item[1].delay_ns)
        return [
            {
                "kind": key.kind,
                "id": key.number,
                "label": victim.label,
                "delay_ms": round(victim.delay_ns / 1e6, 3),
            }
            for key, victim in worst[:MAX_LISTED]
        ]


def count_held(
    victims: Victims,
    loop: LoopModel,
    requests: Requests,
    *,
    blamed: int,
    start_ns: int,
    end_ns: int,
) -> None:
    """Note who is held up at `end_ns`, since it came or since the stall began."""
    victims.end_ns = end_ns
    victims.more = Sum()
    announced = 0
    for request in requests.open.values():
        if request.state not in HELD_UP or request.loop != loop.number:
            continue
        announced += request.state == State.OUTSIDE
        delay_ns = end_ns - max(request.since_ns, start_ns)
        if request.id != blamed and delay_ns > 0:
            victims.hold(Key(REQUEST, request.id), of_request(request, delay_ns))
    for task in loop.tasks.by_no.values():
        if task.request is not None or task.counts_as not in (State.READY, State.DUE):
            continue
        is_fresh = loop.served.is_unbegun(task)
        if is_fresh and announced:
            # Most likely one of those that were announced; its first step will say.
            announced -= 1
            continue
        delay_ns = end_ns - max(task.since_ns, start_ns)
        if delay_ns > 0:
            hold_task(victims, task, delay_ns, is_fresh=is_fresh)


def hold_task(
    victims: Victims, task: Task, delay_ns: int, *, is_fresh: bool = False
) -> None:
    """Note a task of no request, or of one that is not known yet."""
    # Negative, so that it is no request's own number.
    key = Key(REQUEST, -task.no) if is_fresh else Key(TASK, task.no)
    name = "a request" if is_fresh else task.name
    victims.hold(key, Victim(name, delay_ns, task.lane))


def of_request(request: Request, delay_ns: int) -> Victim:
    """Return a request as a victim."""
    return Victim(request.label, delay_ns, request.lane, request)


def unannounced(loop: LoopModel, requests: Requests, arrived: int) -> int:
    """Of `arrived` requests in the kernel's queues, return how many nobody told of."""
    told = sum(
        request.state == State.OUTSIDE and request.loop == loop.number
        for request in requests.open.values()
    )
    # Of those told of some have left the kernel: the server has read them already.
    told -= loop.served.unbegun()
    return max(0, arrived - max(0, told))


def words(requests: Sum, others: Sum) -> str:
    """Say the victims in words; nothing when there are none."""
    parts = []
    for total, one in ((requests, "request"), (others, "task")):
        if not total.count:
            continue
        name = one if total.count == 1 else f"{one}s"
        said = f"{total.count:,} {name} by {say_ns(total.delay_ns)}"
        if total.count > 1:
            said += f" together, worst {total.worst} by {say_ns(total.worst_ns)}"
        elif total.worst:
            said = f"{total.worst} by {say_ns(total.delay_ns)}"
        parts.append(said)
    return f"delayed {'; and '.join(parts)}" if parts else ""


def say_ns(ns: int) -> str:
    """Say a duration with the digits that matter."""
    if ns < 999_500_000:
        return f"{ns / 1e6:.0f} ms"
    return f"{ns / 1e9:.1f} s"
