"""Follow what a press of a button sent, until all of it is answered and over.

A batch holds the model's own requests, so its facts are the model's. Bounded: the
latest batches, and of each scenario the last that came to its end. No clock and no
I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboard.server.presses.facts import Facts, find_facts, in_words

if TYPE_CHECKING:
    from dashboard.demo.scenario import Scenario
    from dashboard.server.model.request import Request
    from dashboard.server.session import Session

KEEP = 200


@dataclass(slots=True)
class Batch:
    """One press: what was to be sent, and the requests that were."""

    id: str
    scenario: Scenario
    expected: int
    leads: list[Request] = field(default_factory=list)
    others: list[Request] = field(default_factory=list)
    answers: int = 0
    trouble: str = ""
    """The first sentence that came back instead of an answer."""
    facts: Facts = field(default_factory=dict)
    done: bool = False

    @property
    def requests(self) -> list[Request]:
        """Everything that was sent so far."""
        return [*self.leads, *self.others]

    def is_over(self) -> bool:
        """Say whether all of it is answered, and nothing of it goes on."""
        return self.answers == self.expected and all(
            request.ended for request in self.requests
        )

    @property
    def words(self) -> dict[str, str]:
        """The facts as they stand in a sentence."""
        return in_words(self.facts)

    def explanation(self) -> str:
        """Say what happened, with the numbers that were measured; empty before."""
        if not self.done:
            return ""
        words = self.words
        disturbed = (
            f" Not counted: {words['foreign']} in which something else held the loop."
            if self.facts.get("foreign_ms")
            else ""
        )
        try:
            return self.scenario.explain.format_map(words) + disturbed
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            # The text may be a user's.
            return f"{self.scenario.explain} ({error!r} is no fact that is measured)"


class Batches:
    """The latest batches by id, and the last result of each scenario."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._by_id: OrderedDict[str, Batch] = OrderedDict()
        self._open: dict[str, Batch] = {}
        self.results: dict[str, Batch] = {}
        """By scenario: the last batch that was sent as the scenario has it."""

    def __repr__(self) -> str:
        return f"<Batches {len(self._by_id)} kept, {len(self._open)} open>"

    def find(self, batch_id: str) -> Batch | None:
        """Return a batch, if it is kept."""
        return self._by_id.get(batch_id)

    def open(self, batch_id: str, scenario: Scenario, expected: int) -> None:
        """So many requests are about to be sent."""
        batch = Batch(batch_id, scenario, expected)
        self._by_id[batch_id] = self._open[batch_id] = batch
        while len(self._by_id) > KEEP:
            gone, _ = self._by_id.popitem(last=False)
            self._open.pop(gone, None)

    def sent(self, batch_id: str, request: Request, *, is_other: bool) -> None:
        """One of them is on its way."""
        batch = self._open.get(batch_id)
        if batch is not None:
            (batch.others if is_other else batch.leads).append(request)

    def answered(self, batch_id: str, status: int, sentence: str) -> None:
        """One of them was answered, or will not be (0), with this sentence."""
        batch = self._open.get(batch_id)
        if batch is None:
            return
        batch.answers += 1
        if status not in (200, batch.scenario.status) and not batch.trouble:
            batch.trouble = sentence or f"the demo app answered {status}"

    def settle(self) -> None:
        """Find the facts of the batches that are over."""
        for batch in [each for each in self._open.values() if each.is_over()]:
            loops = {request.loop for request in batch.requests}
            kinds = [
                self._session.loops[loop].identity.kind
                for loop in loops
                if loop in self._session.loops
            ]
            stalls = self._session.stalls
            batch.facts = find_facts(
                batch.leads,
                batch.others,
                list(stalls.kept),
                kinds,
                stalls.threshold_ns / 1e6,
            )
            batch.done = True
            del self._open[batch.id]
            self.results[batch.scenario.id] = batch
