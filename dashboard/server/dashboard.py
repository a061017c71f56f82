"""Wire the parts together and keep them turning: the dashboard's one background task.

Owns the session, the follower, the stream, the stage and the triggers, for as long
as the app lives. The only place that reads the clock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from dashboard.errors import DemoUnavailable
from dashboard.ring import default_directory
from dashboard.server import wire
from dashboard.server.read import Follower
from dashboard.server.session import Session
from dashboard.server.stage import Stage
from dashboard.server.stream import Stream
from dashboard.server.triggers import Triggers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dashboard.server.settings import Settings

logger = logging.getLogger("loopscope")

FRAME_S = 1 / wire.FRAME_HZ
#: An answer overtakes its own records by at most a frame or two; this is plenty.
ANSWER_PATIENCE_NS = 500_000_000


class TriggerInbox:
    """What the triggers' thread tells, held until the session's loop takes it."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, int, str, str, str]] = deque()
        self._over: deque[tuple[int, int, int]] = deque()

    def sent(
        self,
        span_id: int,
        t_ns: int,
        *,
        method: str,
        path: str,
        scenario: str,
        batch: str,
    ) -> None:
        """A request goes out now."""
        self._sent.append((span_id, t_ns, method, path, scenario))

    def answered(self, span_id: int, t_ns: int, status: int) -> None:
        """Its answer is here."""
        self._over.append((t_ns, span_id, status))

    def failed(self, span_id: int, t_ns: int, reason: str) -> None:
        """There will be no answer."""
        self._over.append((t_ns, span_id, 0))

    def deliver_sent(self, session: Session) -> None:
        """Tell the session what was sent."""
        while self._sent:
            span, t, method, path, scenario = self._sent.popleft()
            session.requests.sent(
                span,
                t,
                method=method,
                path=path,
                scenario=scenario,
                loop=session.newest_loop(),
            )

    def deliver_over(self, session: Session, now_ns: int) -> None:
        """Tell it what has been over long enough that its records must be there."""
        while self._over and self._over[0][0] < now_ns - ANSWER_PATIENCE_NS:
            t, span, status = self._over.popleft()
            session.requests.settle_outside(span, t, status)


class Dashboard:
    """Everything behind the routes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.session = Session(origin_ns=time.monotonic_ns())
        self._inbox = TriggerInbox()
        self.stage: Stage | None = None
        if settings.demo:
            # Loopback, wherever the page is shown: the demo app does what it is
            # told by anyone who reaches it.
            self.stage = Stage(port=settings.demo_port, ring_dir=settings.ring_dir)
            directory = self.stage.ring_dir
        else:
            directory = settings.ring_dir or default_directory()
        self.triggers = Triggers(self._inbox, self._target)
        self.follower = Follower(
            directory,
            self.session,
            before_feed=self._deliver_sent,
            show_ended=not settings.demo,
        )
        self.stream = Stream(
            self.session,
            now_ns=time.monotonic_ns,
            notices=self.notices,
            demo_url=self.demo_url,
        )

    def __repr__(self) -> str:
        return f"<Dashboard {self.session!r}, {self.stream!r}>"

    def demo_url(self) -> str | None:
        """Return the demo app's address, or None if there is none."""
        return self.stage.url if self.stage is not None else None

    def notices(self) -> list[str]:
        """Return the sentences that the page's status line shows."""
        stage = self.stage.notices() if self.stage is not None else []
        failed = [
            f"{loop.identity.title} (pid {loop.identity.pid}): {loop.note}"
            for loop in self.session.loops.values()
            if loop.note
        ]
        return [*stage, *failed, *self.session.notices]

    def describe_state(self) -> dict[str, Any]:
        """Return `/api/state`."""
        state = wire.describe_state(self.session, time.monotonic_ns())
        return state | {"notices": self.notices()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything, and end it in order."""
        async with asyncio.TaskGroup() as group:
            turning = group.create_task(self._turn(), name="turn")
            self.triggers.start()
            if self.stage is not None:
                await self.stage.start()
            try:
                yield
            finally:
                turning.cancel()
                await self.triggers.stop()
                if self.stage is not None:
                    await self.stage.stop()
                self.follower.close()

    async def _turn(self) -> None:
        """Read, then publish, 30 times a second; never catch up by rushing."""
        clock = asyncio.get_running_loop().time
        next_frame_s = clock()
        while True:
            try:
                more = self._read()
                if clock() >= next_frame_s:
                    next_frame_s = max(next_frame_s + FRAME_S, clock())
                    self.stream.publish()
            except Exception:
                # A dashboard that stands still is worse than a frame that is wrong.
                logger.exception("a frame failed; going on with the next")
                more = False
                next_frame_s = clock() + FRAME_S
            await asyncio.sleep(0 if more else max(0.0, next_frame_s - clock()))

    def _read(self) -> bool:
        self._deliver_sent()
        more = self.follower.poll()
        if not more:
            # Only then have the records of what was answered been read.
            self._inbox.deliver_over(self.session, time.monotonic_ns())
        return more

    def _deliver_sent(self) -> None:
        self._inbox.deliver_sent(self.session)

    def _target(self) -> str:
        if self.stage is None:
            raise DemoUnavailable(
                "there is no demo app to send requests to; start without --no-demo"
            )
        return self.stage.target()
