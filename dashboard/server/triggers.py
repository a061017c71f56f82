"""Send the buttons' requests: real HTTP to the demo app, all of a batch at once.

Everything is checked and counted before anything is sent, and each request that
was sent is answered or failed, exactly once. Nothing here looks at what the demo
app does with them: the recorder in there tells that.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx

from dashboard.demo import extras
from dashboard.demo.scenario import shortened
from dashboard.demo.stories import OURS
from dashboard.errors import BadParameter, DemoUnavailable, OverBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from dashboard.demo.scenario import Scenario
    from dashboard.demo.stories import Catalogue

#: Twice the largest button. One lane each still fits a screen, just.
MAX_COUNT = 200
#: Two of the largest batches: a second click while the first is waiting works.
MAX_IN_FLIGHT = 400
#: A hundred times a two-second block takes longer; nobody watches that.
ANSWER_TIMEOUT_S = 60.0
#: The largest batch finds its connections again; what a rush leaves is closed.
MAX_IDLE_CONNECTIONS = MAX_COUNT
STOP_PATIENCE_S = 0.5


class Cast(Enum):
    """How many requests a press sends when nobody says how many."""

    OWN = "as many as the scenario has by itself, and the others beside them"


OWN_CAST: Final = Cast.OWN


class RequestSink(Protocol):
    """Told about every request; called in the triggers' thread, so be thread-safe.

    Called between two requests of a burst: return within microseconds.
    """

    def sent(
        self,
        span_id: int,
        t_ns: int,
        *,
        method: str,
        path: str,
        scenario: str,
        batch: str,
        is_other: bool,
        stage: str,
    ) -> None:
        """Take note: it goes out now. Connecting, if it must, comes after this."""

    def answered(self, span_id: int, t_ns: int, status: int, body: bytes) -> None:
        """Take note: the whole answer is here."""

    def failed(self, span_id: int, t_ns: int, reason: str) -> None:
        """Take note: there will be no answer, and why."""


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
        self._sender = _Sender(sink, now_ns, answer_timeout_s, self._done)
        self._lock = threading.Lock()
        self._in_flight = 0
        self._batches = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Triggers {self._in_flight} in flight, {self._batches} batches>"

    @property
    def in_flight(self) -> int:
        """How many requests are sent and not yet answered or failed."""
        return self._in_flight

    def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="triggers", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Fail what is still under way, close all connections, end the thread."""
        if self._loop is None or self._thread is None:
            return
        loop, self._loop = self._loop, None
        closing = asyncio.run_coroutine_threadsafe(self._sender.close(), loop)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(closing), STOP_PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(STOP_PATIENCE_S)
        if not self._thread.is_alive():
            loop.close()

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
        query = {name: f"{n:.12g}" for name, n in scenario.query(params).items()}
        leads, others = size_of(scenario, count)
        if sentence := extras.missing(scenario.needs):
            raise DemoUnavailable(sentence)
        base = self._target(scenario.stage)
        if self._loop is None:
            raise DemoUnavailable("the dashboard is shutting down")
        with self._lock:
            amount = leads + others
            if self._in_flight + amount > MAX_IN_FLIGHT:
                raise OverBudget(
                    f"{self._in_flight} requests are under way and {amount} more "
                    f"would exceed {MAX_IN_FLIGHT}; wait until some are answered"
                )
            self._in_flight += amount
            self._batches += 1
            batch = f"b{self._batches}"
        address = httpx.URL(scenario.address or scenario.path)
        address = address.copy_merge_params(query) if query else address
        plans = [_Plan(address, scenario, batch, count=leads, gap_s=scenario.gap_s)]
        if others and scenario.others is not None:
            plans.append(
                _Plan(
                    httpx.URL(scenario.others.path),
                    scenario,
                    batch,
                    count=others,
                    after_s=scenario.others.after_s,
                    is_other=True,
                )
            )
        self._loop.call_soon_threadsafe(self._sender.send, plans, base)
        return batch

    def _done(self) -> None:
        with self._lock:
            self._in_flight -= 1


def size_of(scenario: Scenario, count: object) -> tuple[int, int]:
    """Return how many requests go to the handler, and how many beside them.

    A count means just so many requests to the handler. Raises `BadParameter`.
    """
    if count is OWN_CAST:
        return scenario.size, scenario.others.count if scenario.others else 0
    return _checked_count(count), 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """What some requests of a batch have in common."""

    address: httpx.URL
    scenario: Scenario
    batch: str
    count: int
    after_s: float = 0.0
    gap_s: float = 0.0
    is_other: bool = False

    @property
    def path(self) -> str:
        """The route, as the app will name it; of others the path."""
        return self.address.path if self.is_other else self.scenario.path


class _Sender:
    """The half of `Triggers` that lives in the thread; touched from nowhere else."""

    def __init__(
        self,
        sink: RequestSink,
        now_ns: Callable[[], int],
        answer_timeout_s: float,
        done: Callable[[], None],
    ) -> None:
        self._sink = sink
        self._now_ns = now_ns
        self._answer_timeout_s = answer_timeout_s
        self._done = done
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        # One for all: to make one takes 10 ms, and plain HTTP never looks at it.
        self._ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def send(self, plans: list[_Plan], base: str | Future[str]) -> None:
        """Begin all requests; they go out as planned, from the loop's next turn on."""
        if isinstance(base, str):
            for plan in plans:
                self._send_planned(plan, httpx.URL(base))
        else:
            self._keep(asyncio.create_task(self._send_when_up(plans, base)))

    async def _send_when_up(self, plans: list[_Plan], base: Future[str]) -> None:
        try:
            address = await asyncio.wrap_future(base)
        except DemoUnavailable as error:
            for plan in plans:
                for _ in range(plan.count):
                    nowhere = _Journey(plan, httpx.URL(), self._sink, self._now_ns)
                    nowhere.fail(str(error))
                    self._done()
            return
        for plan in plans:
            self._send_planned(plan, httpx.URL(address))

    def _send_planned(self, plan: _Plan, base: httpx.URL) -> None:
        url = base.join(plan.address)
        for i in range(plan.count):
            wait_s = plan.after_s + i * plan.gap_s
            self._keep(asyncio.create_task(self._request(plan, url, wait_s)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what is under way, then close what is idle."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._idle:
            await transport.aclose()
        self._idle.clear()

    async def _request(self, plan: _Plan, url: httpx.URL, wait_s: float) -> None:
        journey = _Journey(plan, url, self._sink, self._now_ns)
        try:
            if wait_s:
                await asyncio.sleep(wait_s)
            async with asyncio.timeout(self._answer_timeout_s):
                status, body = await self._exchange(journey)
        except TimeoutError:
            journey.fail(f"no answer within {self._answer_timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - each one sent is answered or failed
            journey.fail(_reason(error))
        except asyncio.CancelledError:
            journey.fail("the dashboard is shutting down")
            raise
        else:
            self._sink.answered(journey.span_id, self._now_ns(), status, body)
        finally:
            self._done()

    async def _exchange(self, journey: _Journey) -> tuple[int, bytes]:
        # One that leads to another worker or another loop is of no use later.
        keeps = journey.plan.scenario.stage == "main"
        reused = self._idle.pop() if keeps and self._idle else None
        transport = reused or self._new_transport()
        try:
            answer = await _roundtrip(transport, journey)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            await transport.aclose()
            if journey.connected:
                raise
            # The connection was an old one, and the other side closed it while
            # we were sending. Once more on a new one; the first error says more
            # than a second one would.
            transport = self._new_transport()
            try:
                answer = await _roundtrip(transport, journey)
            except httpx.HTTPError:
                await transport.aclose()
                raise error from None
        except BaseException:
            await transport.aclose()
            raise
        if keeps and len(self._idle) < MAX_IDLE_CONNECTIONS:
            self._idle.append(transport)
        else:
            await transport.aclose()
        return answer

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        # One connection each: a shared pool looks at every connection for every
        # request, 10 ms of computing per request at a hundred of them.
        return httpx.AsyncHTTPTransport(
            verify=self._ssl,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
        )


class _Journey:
    """One request on its way; tells the sink at the right moments."""

    def __init__(
        self,
        plan: _Plan,
        url: httpx.URL,
        sink: RequestSink,
        now_ns: Callable[[], int],
    ) -> None:
        self.span_id = secrets.randbits(64) or 1
        self.plan = plan
        self._sink = sink
        self._now_ns = now_ns
        self._sent = False
        self.connected = False
        """Whether a connection was made for it, rather than one used again."""
        self.request = httpx.Request(
            "GET",
            url,
            headers=[
                ("host", url.netloc.decode("ascii")),
                ("traceparent", f"00-{secrets.token_hex(16)}-{self.span_id:016x}-01"),
            ],
            extensions={"trace": self._on_event},
        )

    async def _on_event(self, name: str, info: Mapping[str, Any]) -> None:
        # httpcore's own events: nothing else knows the moment before the bytes.
        if name == "connection.connect_tcp.started":
            self.connected = True
            self._tell_sent()
        elif name == "http11.send_request_headers.started":
            self._tell_sent()

    def _tell_sent(self) -> None:
        if self._sent:
            return
        self._sent = True
        plan = self.plan
        self._sink.sent(
            self.span_id,
            self._now_ns(),
            method="GET",
            path=plan.path,
            scenario=plan.scenario.id,
            batch=plan.batch,
            is_other=plan.is_other,
            stage=plan.scenario.stage,
        )

    def fail(self, reason: str) -> None:
        """Tell that there will be no answer; it counts as sent before."""
        self._tell_sent()
        self._sink.failed(self.span_id, self._now_ns(), reason)


async def _roundtrip(
    transport: httpx.AsyncHTTPTransport, journey: _Journey
) -> tuple[int, bytes]:
    response = await transport.handle_async_request(journey.request)
    return response.status_code, await response.aread()


def _checked_count(count: object) -> int:
    if isinstance(count, int) and not isinstance(count, bool):
        if 1 <= count <= MAX_COUNT:
            return count
    raise BadParameter(
        f"count must be a whole number from 1 to {MAX_COUNT}, got {shortened(count)}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return "the demo app accepts no connections"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "the demo app closed the connection"
    return f"{type(error).__name__}: {error}"
