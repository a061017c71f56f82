"""Requests of a press on their way: each one sent is answered or failed, once.

Lives in the triggers' thread and loop; touched from nowhere else.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from dashboard.errors import DemoUnavailable
from dashboard.server.presses.budgets import MAX_COUNT, NOTHING, Price

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from dashboard.demo.scenario import Scenario

#: The largest batch finds its connections again; what a rush leaves is closed.
MAX_IDLE_CONNECTIONS = MAX_COUNT


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What some requests of a batch have in common."""

    address: httpx.URL
    scenario: Scenario
    batch: str
    count: int
    after_s: float = 0.0
    gap_s: float = 0.0
    is_other: bool = False
    price: Price = NOTHING

    @property
    def path(self) -> str:
        """The route, as the app will name it; of others the path."""
        return self.address.path if self.is_other else self.scenario.path


class Sender:
    """Send plans, each request over a connection of its own that is used again."""

    def __init__(
        self,
        sink: RequestSink,
        now_ns: Callable[[], int],
        answer_timeout_s: float,
        done: Callable[[Plan], None],
    ) -> None:
        self._sink = sink
        self._now_ns = now_ns
        self._answer_timeout_s = answer_timeout_s
        self._done = done
        # Trace ids begin with what only this run has. From there on, as span ids do,
        # they count up from somewhere: a recording keeps both of each request, and what
        # is random it cannot make smaller.
        self._run = secrets.token_hex(8)
        self._span_ids = itertools.count(secrets.randbits(62) + 1)
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        # One for all: to make one takes 10 ms, and plain HTTP never looks at it.
        self._ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def send(self, plans: list[Plan], base: str | Future[str]) -> None:
        """Begin all requests; they go out as planned, from the loop's next turn on."""
        if isinstance(base, str):
            for plan in plans:
                self._send_planned(plan, httpx.URL(base))
        else:
            self._keep(asyncio.create_task(self._send_when_up(plans, base)))

    async def _send_when_up(self, plans: list[Plan], base: Future[str]) -> None:
        try:
            address = await asyncio.wrap_future(base)
        except DemoUnavailable as error:
            for plan in plans:
                for _ in range(plan.count):
                    self._begin(plan, httpx.URL()).fail(str(error))
                    self._done(plan)
            return
        for plan in plans:
            self._send_planned(plan, httpx.URL(address))

    def _send_planned(self, plan: Plan, base: httpx.URL) -> None:
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

    def _begin(self, plan: Plan, url: httpx.URL) -> _Journey:
        span_id = next(self._span_ids)
        return _Journey(plan, url, self._run, span_id, self._sink, self._now_ns)

    async def _request(self, plan: Plan, url: httpx.URL, wait_s: float) -> None:
        journey = self._begin(plan, url)
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
            self._done(plan)

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
        plan: Plan,
        url: httpx.URL,
        run: str,
        span_id: int,
        sink: RequestSink,
        now_ns: Callable[[], int],
    ) -> None:
        self.span_id = span_id
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
                ("traceparent", f"00-{run}{span_id:016x}-{span_id:016x}-01"),
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


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return "the demo app accepts no connections"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "the demo app closed the connection"
    return f"{type(error).__name__}: {error}"
