"""Wire the parts together and keep them turning: the dashboard's one background task.

Owns the session, the follower, the stream, the stage and the triggers, for as long
as the app lives. The only place that reads the clock.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from dashboard.demo.stories import OURS, Catalogue
from dashboard.demo.yours import VARIABLE, load_files
from dashboard.errors import DemoUnavailable
from dashboard.server.diagnosis.advice import Advice
from dashboard.server.diagnosis.excerpt import lines_of
from dashboard.server.diagnosis.stall_log import StallLog
from dashboard.server.presses.batches import Batches
from dashboard.server.presses.experiment import Experiment
from dashboard.server.presses.triggers import Triggers, size_of
from dashboard.server.programs.sides import START_PATIENCE_S, Sides
from dashboard.server.programs.stage import Stage
from dashboard.server.reading.folders import places_of_user, rings_in, rings_of_user
from dashboard.server.reading.read import Follower
from dashboard.server.reading.thread_cpu import ThreadCpu
from dashboard.server.recordings.drops import Drops
from dashboard.server.recordings.flight import FlightRecorder
from dashboard.server.recordings.keeper import Keeper
from dashboard.server.recordings.reel import Reel
from dashboard.server.session import Session
from dashboard.server.streaming import wire
from dashboard.server.streaming.inbox import TriggerInbox
from dashboard.server.streaming.seats import Seats
from dashboard.server.streaming.stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from concurrent.futures import Future

    from dashboard.server.recordings.opening import Opened
    from dashboard.server.settings import Settings

logger = logging.getLogger("loopscope")

#: Rows come by the hundred thousand and are no garbage: to look through them as
#: often as Python does by itself takes a sixth of what can be followed.
GC_THRESHOLDS = (50_000, 20, 50)
FRAME_S = 1 / wire.FRAME_HZ
#: Between two looks at a process that C code may be holding up: three of them name
#: its line.
HURRY_S = 0.008


class Dashboard:
    """Everything behind the routes."""

    def __init__(self, settings: Settings, opened: Opened | None = None) -> None:
        self.settings = settings
        self.opened = opened
        """The recording that is shown, instead of what goes on now."""
        self.advice = Advice(lines_of)
        self.keeper = Keeper()
        self._session = opened.session if opened is not None else self._begin()
        self.thread_cpu = ThreadCpu()
        self._stall_log = StallLog(self.session)
        self._flight: FlightRecorder | None = None
        if settings.keep is not None and opened is None:
            self._flight = FlightRecorder(
                self.session,
                self.keeper,
                settings.keep,
                stall_ns=round(settings.keep_stall_ms * 1e6),
                request_ns=round(settings.keep_request_ms * 1e6),
            )
        yours = load_files(settings.stories, OURS.ids)
        self.catalogue = Catalogue((*OURS.stories, *yours.stories))
        self._story_problems = yours.problems
        self.batches = Batches(self.session)
        self._inbox = TriggerInbox(self.session, self.batches, self._loop_of)
        self.stage: Stage | None = None
        self.sides: Sides | None = None
        if settings.demo:
            # Loopback, wherever the page is shown: the demo app does what it is
            # told by anyone who reaches it.
            self.stage = Stage(
                port=settings.demo_port,
                ring_dir=settings.ring_dir,
                environ={VARIABLE: os.pathsep.join(map(str, settings.stories))},
            )
            self.sides = Sides(self.stage.ring_dir)
            find_rings = rings_in(self.stage.ring_dir)
        else:
            named = settings.ring_dir
            find_rings = rings_of_user([named] if named else places_of_user())
        self.triggers = Triggers(self._inbox, self._target, catalogue=self.catalogue)
        self.experiment = Experiment(self._demo_app)
        self.follower = Follower(
            find_rings,
            self.session,
            before_feed=self._deliver_sent,
            show_ended=not settings.demo,
            allow_dumps=settings.dumps,
        )
        self.drops = Drops()
        self.seats = Seats()
        self.stream = Stream(
            self.session,
            now_ns=self.now_ns,
            notices=self.notices,
            demo_url=self.demo_url,
        )
        self.reel = Reel(opened, self.stream) if opened is not None else None

    def _begin(self) -> Session:
        session = Session(
            origin_ns=time.monotonic_ns(),
            find_remedy=self.advice.find,
            tape=self.keeper.tape,
        )
        session.stalls.threshold_ns = round(self.settings.stall_ms * 1e6)
        self.keeper.session = session
        return session

    def __repr__(self) -> str:
        return f"<Dashboard {self.session!r}, {self.stream!r}>"

    @property
    def session(self) -> Session:
        """What is known: of a recording nothing, until it has been read."""
        return self._session if self.opened is None else self.opened.session

    async def wait_whole(self) -> bool:
        """Wait until a recording has been read; what goes on now is never whole.

        Return whether we may go on: not if the dashboard ends meanwhile.
        """
        return self.reel is None or await self.reel.wait_whole()

    def let_go(self) -> None:
        """Let everybody go who would wait for us: the server stops."""
        self.seats.close()
        if self.reel is not None:
            self.reel.close()

    def now_ns(self) -> int:
        """Return the moment that is shown: a recording's clock stands still."""
        return time.monotonic_ns() if self.reel is None else self.reel.t_ns

    def demo_url(self) -> str | None:
        """Return the demo app's address, or None if there is none."""
        return self.stage.url if self.stage is not None else None

    def notices(self) -> list[str]:
        """Return the sentences that the page's status line shows."""
        stage = self.stage.notices() if self.stage is not None else []
        sides = self.sides.notices() if self.sides is not None else []
        failed = [
            f"{loop.identity.title} (pid {loop.identity.pid}): {loop.note}"
            for loop in self.session.loops.values()
            if loop.note
        ]
        return [*stage, *sides, *self._story_problems, *failed, *self.session.notices]

    def describe_state(self) -> dict[str, Any]:
        """Return `/api/state`."""
        state = wire.describe_state(self.session, self.now_ns())
        return state | {"notices": self.notices()}

    def fire(
        self, scenario_id: str, count: object, params: Mapping[str, object]
    ) -> str:
        """Do what `Triggers.fire` does, and follow the batch to its end."""
        batch = self.triggers.fire(scenario_id, count, params)
        scenario = self.catalogue.find(scenario_id)
        self.batches.open(batch, scenario, sum(size_of(scenario, count)))
        return batch

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything, and end it in order."""
        thresholds = gc.get_threshold()
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            async with self._all_running():
                yield
        finally:
            gc.set_threshold(*thresholds)

    @asynccontextmanager
    async def _all_running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            turn = self._turn() if self.reel is None else self.reel.run()
            turning = group.create_task(turn, name="turn")
            pushing = self._push_metrics(group)
            if self.stage is not None:
                self.triggers.start()
                await self.stage.start()
            try:
                yield
            finally:
                turning.cancel()
                if pushing is not None:
                    pushing.cancel()
                await self.experiment.close()
                await self.triggers.stop()
                ending = [each.stop() for each in (self.stage, self.sides) if each]
                await asyncio.gather(*ending)
                self.follower.close()
                self.drops.close()
                self.advice.close()
                if self._flight is not None:
                    self._flight.close()

    def _push_metrics(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Begin to, where settings say so."""
        if not self.settings.otlp:
            return None
        # An extra, and half a second to import.
        from dashboard.server.exports.otlp import Otlp

        async def push() -> None:
            if await self.wait_whole():
                address = self.settings.otlp
                await Otlp(self.session, address, now_ns=self.now_ns).run()

        return group.create_task(push(), name="otlp")

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
            pause_s = 0 if more else max(0.0, next_frame_s - clock())
            if self.follower.is_busy:
                pause_s = min(pause_s, HURRY_S)
            await asyncio.sleep(pause_s)

    def _read(self) -> bool:
        self._deliver_sent()
        began_ns = time.monotonic_ns()
        more = self.follower.poll()
        now_ns = time.monotonic_ns()
        self._stall_log.look(now_ns)
        if self._flight is not None:
            self._flight.look(now_ns)
        if self.session.findings.is_due(now_ns):
            cpu = self.thread_cpu.measure(self.session.loops.values(), now_ns)
            self.session.look(now_ns, cpu)
        if not more:
            # Only then have the records of what was answered been read, and only of
            # what was so before: on a busy machine a reading may take seconds.
            self._inbox.deliver_over(began_ns)
        return more

    def _deliver_sent(self) -> None:
        self._inbox.deliver_sent()

    def _loop_of(self, stage: str) -> int:
        """Return the loop at whose door a request to that stage stands."""
        pid = None
        if stage == "main":
            pid = self.stage.pid if self.stage is not None else None
        elif self.sides is not None:
            pid = self.sides.pid(stage)
        loops = [
            loop.id
            for loop in self.session.loops.values()
            if not loop.ended and loop.identity.pid == pid
        ]
        return max(loops, default=0) or self.session.newest_loop()

    def _demo_app(self) -> str:
        if self.stage is None:
            raise DemoUnavailable(
                "there is no demo app to send load to; start without --no-demo"
            )
        return self.stage.target()

    def _target(self, stage: str) -> str | Future[str]:
        if self.stage is None or self.sides is None:
            raise DemoUnavailable(
                "there is no demo app to send requests to; start without --no-demo"
            )
        if stage == "main" and (self.stage.pid or self.stage.notices()):
            return self.stage.target()
        # It starts, and nothing is wrong: what is sent goes out when it is up.
        coming = self._main_up() if stage == "main" else self.sides.up(stage)
        return asyncio.run_coroutine_threadsafe(coming, asyncio.get_running_loop())

    async def _main_up(self) -> str:
        assert self.stage is not None  # asked by `_target`, which has looked
        with suppress(TimeoutError):
            async with asyncio.timeout(START_PATIENCE_S):
                await self.stage.wait_up()
        return self.stage.target()
