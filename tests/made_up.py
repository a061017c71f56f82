"""A small recording, made up: one request whose step held the loop at a line."""

from __future__ import annotations

from dashboard.records import LAP_SHIFT, RECORD, Cell, Kind, RingState
from dashboard.server.model import tape
from dashboard.server.recordings import recording

MS = 1_000_000
BEGAN = 1_000 * MS
CELLS = dict.fromkeys(Cell, 0) | {Cell.STATE: RingState.RECORDING}


def make_recording(task="buy"):
    """Return its bytes; the task's name may be anything."""

    def put(kind, t, u=0, a=0, b=0):
        tag = (1 << LAP_SHIFT) + kind
        return RECORD.pack(BEGAN + t * MS, u, a, b, tag)

    at = lambda ms: BEGAN + ms * MS  # noqa: E731
    data = b"".join(
        (
            put(Kind.BORN, 1, 0, 1, 1),
            put(Kind.REQUEST, 2, 1, 5, 1),
            put(Kind.REQUEST_NAME, 2, 0, 5, 3),
            put(Kind.SAMPLE, 100, at(2), 2, 1),
            put(Kind.MARK, 150, 0, 1, 4),
            put(Kind.ANSWERED, 302, 200, 5),
            put(Kind.REQUEST_END, 302, 0, 5),
            put(Kind.STEP_DONE, 2, at(302), 1),
            put(Kind.POLL, 302, at(400)),
        )
    )
    place = "/srv/shop.py\x1f5\x1fbuy"
    entries = [
        tape.Loop(1, 0, 7, 1, BEGAN, 5, 0, "asyncio", "3.11.7", "shop"),
        tape.Strings(1, (task, place, "GET\x1f/buy", "sold out")),
        tape.Records(1, data),
        tape.Tick(1, at(400), 1, tuple(CELLS.values())),
        tape.Source("/srv/shop.py", 5, "buy", 4, "def buy():\n    sleep(0.3)", 0),
        tape.Look(at(400), (), ()),
        tape.Frame(at(400)),
    ]
    head = recording.write_head(recording.new_head(BEGAN, 1_700_000_000_000_000_000))
    return head + recording.write_chunk(entries, first_ns=BEGAN, last_ns=at(400))
