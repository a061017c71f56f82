"""Say who lives at a moment, so that a recording may begin there.

Written as the recorder's own roll call would be: the reader's model needs no second way
to learn of a task. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Kind
from dashboard.server.model import tape
from dashboard.server.model.lanes import State
from dashboard.server.model.observed import describe_loop

if TYPE_CHECKING:
    from dashboard.server.model.observed import ObservedLoop
    from dashboard.server.model.tape import Entry
    from dashboard.server.session import Session

LAP_1 = 1 << LAP_SHIFT
#: What a task does, as LIVES says it; it waits where this says nothing.
DOES = {int(State.READY): 1, int(State.DUE): 1, int(State.RUNNING): 2}


class Living(NamedTuple):
    """A task at the beginning of a chunk."""

    no: int
    told: int
    """The loop's string of its coroutine's name."""
    given: str
    """The name that it was given, or nothing."""
    made_at: str
    state: int
    request: int
    """The recorder's number of its request, or 0."""
    reason: str
    where: str


class Present(NamedTuple):
    """A loop at the beginning of a chunk; the session may have dropped it since."""

    loop: tape.Loop
    strings: list[str]
    """Its own, which grow."""
    living: list[Living]
    named: list[tuple[int, str, str]]
    """Of requests under way the recorder's number, method and route."""


def call_roll(session: Session | None) -> dict[int, Present]:
    """Return who lives now, by loop."""
    if session is None:
        return {}
    return {
        loop.id: Present(
            describe_loop(loop),
            loop.model.names.strings,
            _living(loop),
            [
                (number, request.method, request.route)
                for number, request in loop.model.tasks.serving.items()
                if request.named
            ],
        )
        for loop in session.loops.values()
        if not loop.ended
    }


def _living(loop: ObservedLoop) -> list[Living]:
    tasks = loop.model.tasks
    numbers = {id(request): number for number, request in tasks.serving.items()}
    return [
        Living(
            task.no,
            task.told,
            task.given,
            task.made_at,
            task.state,
            numbers.get(id(task.request), 0),
            task.reason,
            task.where,
        )
        for task in tasks.by_no.values()
    ]


def introduce(session: Session, roll: dict[int, Present], t: int) -> list[Entry]:
    """Tell what a reader must know that comes at `t`, when those lived."""
    told: list[Entry] = [
        tape.Threshold(session.stalls.threshold_ns),
        *session.advised.values(),
    ]
    for number, present in roll.items():
        texts, records = _call(present, t)
        told += [
            present.loop._replace(began_ns=t),
            tape.Strings(number, tuple(texts[1:])),
            tape.Records(number, records),
        ]
    return told


class Introduced:
    """Choose what a reader understands who was introduced to some loops only."""

    def __init__(self, roll: dict[int, Present]) -> None:
        self._met = roll.keys()
        self._known = set(roll)

    def __repr__(self) -> str:
        return f"<Introduced to {len(self._known)} loops>"

    def choose(self, entries: list[Entry]) -> list[Entry]:
        """Return the entries without those that were told already, or are of loops
        that ended before: what was still known of them is of no use to a reader.
        """
        return [entry for entry in entries if self._is_new(entry)]

    def _is_new(self, entry: Entry) -> bool:
        if isinstance(entry, tape.Loop):
            self._known.add(entry.loop)
        elif isinstance(entry, tape.Strings) and entry.loop in self._met:
            return False
        # A request of ours may go to no loop that we know.
        if isinstance(entry, tape.Sent):
            return True
        loop = getattr(entry, "loop", None)
        return loop is None or loop in self._known


def _call(present: Present, t: int) -> tuple[list[str], bytes]:
    """Return the loop's strings, some of ours behind them, and the roll in records."""
    texts = list(present.strings)
    indices = {text: index for index, text in enumerate(texts)}

    def index_of(*fields: str) -> int:
        text = FIELD_SEPARATOR.join(fields)
        if text not in indices:
            indices[text] = len(texts)
            texts.append(text)
        return indices[text]

    records = bytearray()
    for task in present.living:
        does = DOES.get(task.state, 0)
        u = task.request << 32 | does
        records += RECORD.pack(t, u, task.no, task.told, LAP_1 + Kind.LIVES)
        if task.given:
            name = index_of(task.given)
            records += RECORD.pack(t, 0, task.no, name, LAP_1 + Kind.NAMED)
        if task.made_at:
            line = index_of(*_take_apart(task.made_at))
            records += RECORD.pack(t, 0, task.no, line, LAP_1 + Kind.SPAWNED)
        if task.reason and not does:
            why = index_of(task.reason, *_take_apart(task.where))
            records += RECORD.pack(t, 0, task.no, why, LAP_1 + Kind.REASON)
    for number, method, route in present.named:
        name = index_of(method, route)
        records += RECORD.pack(t, 0, number, name, LAP_1 + Kind.REQUEST_NAME)
    return texts, bytes(records)


def _take_apart(where: str) -> tuple[str, str, str]:
    """Return file, line and function of `file:line in function`."""
    place, _, function = where.partition(" in ")
    file, _, line = place.rpartition(":")
    return file, line, function
