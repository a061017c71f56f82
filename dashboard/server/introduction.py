"""Say who lives at a moment, so that a recording may begin there.

Written as the recorder's own roll call would be: the reader's model needs no second way
to learn of a task. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Kind
from dashboard.server import tape
from dashboard.server.journal import State
from dashboard.server.session import describe_loop

if TYPE_CHECKING:
    from collections.abc import Container

    from dashboard.server.session import ObservedLoop, Session
    from dashboard.server.tape import Entry

LAP_1 = 1 << LAP_SHIFT
#: What a task does, as LIVES says it; it waits where this says nothing.
DOES = {int(State.READY): 1, int(State.DUE): 1, int(State.RUNNING): 2}


class Living(NamedTuple):
    """A task at the beginning of a chunk."""

    no: int
    name: str
    state: int
    request: int
    """The recorder's number of its request, or 0."""
    reason: str
    where: str


def call_roll(session: Session | None) -> dict[int, list[Living]]:
    """Return who lives now, by loop."""
    if session is None:
        return {}
    return {loop.id: _living(loop) for loop in session.loops.values() if not loop.ended}


def _living(loop: ObservedLoop) -> list[Living]:
    tasks = loop.model.tasks
    numbers = {id(request): number for number, request in tasks.serving.items()}
    return [
        Living(
            task.no,
            task.name,
            task.state,
            numbers.get(id(task.request), 0),
            task.reason,
            task.where,
        )
        for task in tasks.by_no.values()
    ]


def introduce(session: Session, roll: dict[int, list[Living]], t: int) -> list[Entry]:
    """Tell what a reader must know that comes at `t`, when those lived."""
    told: list[Entry] = [
        tape.Threshold(session.stalls.threshold_ns),
        *session.advised.values(),
    ]
    for number, living in roll.items():
        loop = session.loops.get(number)
        if loop is not None:
            texts, records = _call(loop, living, t)
            told += [
                describe_loop(loop)._replace(began_ns=t),
                tape.Strings(number, tuple(texts[1:])),
                tape.Records(number, records),
            ]
    return told


def is_told(entry: Entry, known: Container[int]) -> bool:
    """Say whether the introduction of these loops has told it already."""
    return isinstance(entry, tape.Strings) and entry.loop in known


def _call(loop: ObservedLoop, living: list[Living], t: int) -> tuple[list[str], bytes]:
    """Return the loop's strings, some of ours behind them, and the roll in records."""
    texts = list(loop.model.names.strings)
    indices = {text: index for index, text in enumerate(texts)}

    def index_of(*fields: str) -> int:
        text = FIELD_SEPARATOR.join(fields)
        if text not in indices:
            indices[text] = len(texts)
            texts.append(text)
        return indices[text]

    records = bytearray()
    for task in living:
        does = DOES.get(task.state, 0)
        u, name = task.request << 32 | does, index_of(task.name)
        records += RECORD.pack(t, u, task.no, name, LAP_1 + Kind.LIVES)
        if task.reason and not does:
            why = index_of(task.reason, *_take_apart(task.where))
            records += RECORD.pack(t, 0, task.no, why, LAP_1 + Kind.REASON)
    for number, request in loop.model.tasks.serving.items():
        if request.named:
            name = index_of(request.method, request.route)
            records += RECORD.pack(t, 0, number, name, LAP_1 + Kind.REQUEST_NAME)
    return texts, bytes(records)


def _take_apart(where: str) -> tuple[str, str, str]:
    """Return file, line and function of `file:line in function`."""
    place, _, function = where.partition(" in ")
    file, _, line = place.rpartition(":")
    return file, line, function
