"""Write a loop's records by hand, and read back what a journal made of them."""

from __future__ import annotations

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Kind
from dashboard.server.model.incidents import Incidents
from dashboard.server.model.journal import Change, Journal
from dashboard.server.model.lanes import Lane, LaneKind, Row, State
from dashboard.server.model.loop_model import LoopModel
from dashboard.server.model.splits import Requests
from dashboard.server.model.stalls import Stalls

MS = 1_000_000


class Tape:
    """Records in the order of a ring, with a model that plays them."""

    def __init__(self):
        self.journal = Journal()
        self.requests = Requests(self.journal)
        self.stalls = Stalls(self.requests)
        self.incidents = Incidents()
        self.model = LoopModel(
            1,
            journal=self.journal,
            requests=self.requests,
            stalls=self.stalls,
            incidents=self.incidents,
        )
        self.model.open_lane("loop", 0)
        self.model.names.strings = [""]
        self.told = Told()
        self._data = b""

    def text(self, *fields):
        """Return the index of a string of these fields."""
        text = FIELD_SEPARATOR.join(map(str, fields))
        if text not in self.model.names.strings:
            self.model.names.strings.append(text)
        return self.model.names.strings.index(text)

    def put(self, kind, t=0, u=0, a=0, b=0):
        """Add a record."""
        self._data += RECORD.pack(t, u, a, b, (1 << LAP_SHIFT) + kind)
        return self

    def born(self, task, name, t, request=0):
        """A task is created."""
        return self.put(Kind.BORN, t, request << 32, task, self.text(name))

    def wake(self, task, t, owner=0):
        """A task becomes ready, by whoever runs."""
        return self.put(Kind.WAKE, t, owner, task)

    def step(self, task, t, u, kind=Kind.STEP_WAITING):
        """A task has run; what happened meanwhile was added before."""
        return self.put(kind, t, u, task)

    def call(self, name, t, u, request=0):
        """A callback has run."""
        return self.put(Kind.CALL, t, u, self.text(name), request)

    def poll(self, t, u):
        """The loop sat in select."""
        return self.put(Kind.POLL, t, u)

    def reason(self, task, t, what, *, deadline=0, line=7):
        """Why a task waits."""
        where = self.text(what, "/srv/shop.py", line, "buy")
        return self.put(Kind.REASON, t, deadline, task, where)

    def request(self, request, task, t, *, made_for=1):
        """A request begins in a task."""
        return self.put(Kind.REQUEST, t, made_for, request, task)

    def answered(self, request, t, status=200):
        """A request is answered and over."""
        self.put(Kind.ANSWERED, t, status, request)
        return self.put(Kind.REQUEST_END, t, 0, request)

    def play(self):
        """Feed what was added to the model."""
        data, self._data = self._data, b""
        self.model.feed(data)
        return self

    def lanes(self):
        """Return every lane's story so far, by label."""
        self.play()
        self.told.take(self.journal.take(0))
        return self.told.stories()

    def story(self, label):
        """Return the story of the only lane of that label."""
        return self.lanes()[label]


class Told:
    """A viewer that keeps everything it is sent, as ARCHITECTURE.md says to."""

    def __init__(self):
        self.strings = []
        self.lanes = {}
        self.spans = {}

    def take(self, change):
        """Apply a frame's change, or a snapshot."""
        self.strings += change.strings
        for lane in change.lanes:
            self.lanes[lane.id] = (lane.kind, lane.loop, lane.label, lane.request)
        for row in change.rows:
            assert row.lane in self.lanes, f"{row} of a lane that was never announced"
            spans = self.spans.setdefault(row.lane, [])
            if spans:
                assert row.t >= spans[-1][0], f"{row} comes after {spans[-1]}"
            if spans and spans[-1][0] == row.t:
                spans.pop()
            if spans and spans[-1][1:] == (row.state, row.info, row.who):
                continue
            spans.append((row.t, row.state, row.info, row.who))

    def stories(self):
        """Return each lane's label and what it did, in words."""
        told = {}
        for lane, spans in self.spans.items():
            label = self.strings[self.lanes[lane][2]]
            words = []
            for t, state, info, who in spans:
                what = self.strings[info].replace("\t", " ")
                name = State(state).name.lower()
                words.append(f"{t} {name} {what}{f' #{who}' if who else ''}".strip())
            assert label not in told, f"two lanes are called {label!r}"
            told[label] = ", ".join(words)
        return told


def decode(frame):
    """Return the change that a frame's JSON describes."""
    rows, t = [], 0
    if frame["rows"]:
        columns = [
            frame["rows"][name] for name in ("t", "lane", "state", "info", "who")
        ]
        t = frame["rows"]["t0"]
        for delta, *rest in zip(*columns, strict=True):
            t += delta
            rows.append(Row(t, *rest))
    lanes = [
        Lane(number, LaneKind(kind), loop, label, request, began, spawn)
        for number, kind, loop, label, request, began, spawn in frame["lanes"]
    ]
    return Change(frame["strings"], lanes, rows)
