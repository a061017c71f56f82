"""Play what was recorded to the model, as the dashboard does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.records import Kind
from dashboard.server.model.incidents import Incidents
from dashboard.server.model.journal import Journal
from dashboard.server.model.lanes import LaneKind
from dashboard.server.model.loop_model import LoopModel
from dashboard.server.model.splits import Requests
from dashboard.server.model.stalls import Stalls

if TYPE_CHECKING:
    from rings import Told


class Played:
    """A ring's records, played to a model."""

    def __init__(self, told: Told):
        self.told = told
        self.journal = Journal()
        self.requests = Requests(self.journal)
        self.incidents = Incidents()
        self.model = LoopModel(
            1,
            journal=self.journal,
            requests=self.requests,
            stalls=Stalls(self.requests),
            incidents=self.incidents,
        )
        self.model.names.strings = told.strings
        self.model.open_lane("loop", told.records[0].t)
        self.model.feed(told.data)
        self.model.finish(told.records[-1].t)

    def the_request(self):
        """Return the only request, after it was checked that its split adds up."""
        (request,) = self.requests.finished
        total_ns = sum(request.spent_ns.values())
        assert abs(total_ns - (request.answered_ns - request.begun_ns)) < 1_000_000
        assert request.ended
        assert not request.is_lost
        return request

    def children(self, name="child"):
        """Return the request number of each birth of that name."""
        births = zip(self.told.of(Kind.BORN), self.told.names(Kind.BORN), strict=True)
        return [record.u >> 32 for record, found in births if found.endswith(name)]

    def hops(self):
        """Return function and reason of each call to a worker thread, and its task."""
        hops = []
        for record in self.told.of(Kind.THREAD_QUEUED):
            name = self.told.strings[record.u & 0xFFFFFFFF].partition("\x1f")[0]
            why = self.told.strings[record.u >> 40]
            hops.append((name.rpartition(".")[2], why))
        return hops

    def kinds(self):
        """Return the kind of lane of each request."""
        return [
            lane.kind
            for lane in self.journal.take(0).lanes
            if lane.request and lane.kind != LaneKind.TASK
        ]
