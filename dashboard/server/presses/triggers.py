"""Send the buttons' requests: real HTTP to the demo app, all of a batch at once.

Everything is checked and counted before anything is sent, and each request that
was sent is answered or failed, exactly once. Nothing here looks at what the demo
app does with them: the recorder in there tells that.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

from dashboard.demo import extras
from dashboard.demo.scenario import shortened
from dashboard.demo.stories import OURS
from dashboard.errors import BadParameter, DemoUnavailable
from dashboard.server.presses.budgets import MAX_COUNT, Budgets, price_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from dashboard.demo.scenario import Scenario
    from dashboard.demo.stories import Catalogue
    from dashboard.server.presses.sender import Plan, RequestSink, Sender

#: A hundred times a two-second block takes longer; nobody watches that.
ANSWER_TIMEOUT_S = 60.0
#: Hundreds of requests are cancelled in some 10 ms; a busy machine takes its time.
STOP_PATIENCE_S = 5.0


class Cast(Enum):
    """How many requests a press sends when nobody says how many."""

    OWN = "as many as the scenario has by itself, and the others beside them"


OWN_CAST: Final = Cast.OWN


class Triggers:
    """Fire scenarios at the demo app from a thread with its own event loop.

    A thread, because the dashboard's loop sends frames: a first burst of 100 held
    it up for 81 ms when they shared it, and for 5 to 15 ms from here.

    `target` returns the address of a stage, now or in a future, or raises
    `DemoUnavailable`.
    """

    def __init__(
        self,
        sink: RequestSink,
        target: Callable[[str], str | Future[str]],
        *,
        catalogue: Catalogue = OURS,
        now_ns: Callable[[], int] = time.monotonic_ns,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._target = target
        self.catalogue = catalogue
        self._sink = sink
        self._now_ns = now_ns
        self._answer_timeout_s = answer_timeout_s
        self._sender: Sender | None = None
        self._budgets = Budgets()
        self._batches = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Triggers {self.in_flight} in flight>"

    @property
    def in_flight(self) -> int:
        """How many requests are sent and not yet answered or failed."""
        return self._budgets.in_flight

    def start(self) -> None:
        """Start the thread."""
        # Not before: a page that has nothing to press is there without an HTTP client.
        from dashboard.server.presses.sender import Sender

        self._sender = Sender(
            self._sink, self._now_ns, self._answer_timeout_s, self._done
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run,
            args=[self._loop, self._sender],
            name="triggers",
            daemon=True,
        )
        self._thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop, sender: Sender) -> None:
        loop.run_forever()
        # In here, not from outside: nobody can stop the loop while this is under way.
        loop.run_until_complete(sender.close())
        loop.close()

    async def stop(self) -> None:
        """Fail what is still under way, close all connections, end the thread."""
        if self._loop is None or self._thread is None:
            return
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(self._thread.join, STOP_PATIENCE_S)

    def fire(
        self,
        scenario_id: str,
        count: object = OWN_CAST,
        params: Mapping[str, object] = {},
    ) -> str:
        """Send `count` requests at once, or the scenario's own cast; never wait.

        Returns the batch's id. Raises `UnknownScenario`, `BadParameter`,
        `OverBudget` or `DemoUnavailable`, and has sent nothing then.
        """
        scenario = self.catalogue.find(scenario_id)
        numbers = scenario.query(params)
        query = {name: f"{n:.12g}" for name, n in numbers.items()}
        leads, others = size_of(scenario, count)
        if sentence := extras.missing(scenario.needs):
            raise DemoUnavailable(sentence)
        base = self._target(scenario.stage)
        if self._loop is None or self._sender is None:
            raise DemoUnavailable("the dashboard is shutting down")
        import httpx

        from dashboard.server.presses.sender import Plan

        price = price_of(scenario, numbers)
        self._budgets.take(scenario.id, leads, others, price)
        batch = f"b{next(self._batches)}"
        address = httpx.URL(scenario.address or scenario.path)
        address = address.copy_merge_params(query) if query else address
        plans = [
            Plan(address, scenario, batch, leads, gap_s=scenario.gap_s, price=price)
        ]
        if others and scenario.others is not None:
            plans.append(
                Plan(
                    httpx.URL(scenario.others.path),
                    scenario,
                    batch,
                    others,
                    after_s=scenario.others.after_s,
                    is_other=True,
                )
            )
        self._loop.call_soon_threadsafe(self._sender.send, plans, base)
        return batch

    def _done(self, plan: Plan) -> None:
        self._budgets.give_back(plan.scenario.id, plan.price)


def size_of(scenario: Scenario, count: object) -> tuple[int, int]:
    """Return how many requests go to the handler, and how many beside them.

    A count means just so many requests to the handler. Raises `BadParameter`.
    """
    if count is OWN_CAST:
        return scenario.size, scenario.others.count if scenario.others else 0
    return _checked_count(count), 0


def _checked_count(count: object) -> int:
    if isinstance(count, int) and not isinstance(count, bool):
        if 1 <= count <= MAX_COUNT:
            return count
    raise BadParameter(
        f"count must be a whole number from 1 to {MAX_COUNT}, got {shortened(count)}"
    )
