"""The doors: begin and end the recording of a loop, in one line each.

`observe(app)` for ASGI apps, `record()` for plain asyncio programs. A loop is
recorded once, however many ask; the last one to leave ends it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dashboard.errors import DashboardError, RecorderError
from dashboard.recorder.dump import DumpDoor
from dashboard.recorder.eager import EagerHooks
from dashboard.recorder.hooks import AsyncioHooks, has_rounds
from dashboard.recorder.mishaps import MishapHooks
from dashboard.recorder.pauses import PauseHooks
from dashboard.recorder.recorder import READY, RUNNING, WAITING, Recorder
from dashboard.recorder.replacing import replaced, restore
from dashboard.recorder.requests import wrap_app
from dashboard.recorder.roll_call import RollCall
from dashboard.recorder.server_timing import time_answers
from dashboard.recorder.threads import ThreadHooks
from dashboard.recorder.watchdog import BEAT_S, Watchdog
from dashboard.recorder.wrappers import WrapperHooks
from dashboard.records import Kind, RingState
from dashboard.ring import create_ring

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

logger = logging.getLogger("loopscope")
P = ParamSpec("P")
T = TypeVar("T")

_next_loop = itertools.count(1).__next__
_recordings: dict[int, Recording] = {}


def hooks_for(rec: Recorder, loop: Any) -> AsyncioHooks | WrapperHooks:
    """Choose the hooks by how the loop goes round, not by its name."""
    return AsyncioHooks(rec, loop) if has_rounds(loop) else WrapperHooks(rec, loop)


class Recording:
    """The recording of one loop, from `start` to `stop`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        title: str,
        directory: Path | None = None,
        beat_s: float = BEAT_S,
    ) -> None:
        self.loop = loop
        self._beat_s = beat_s
        self.users = 0
        kind = "asyncio" if hasattr(loop, "_ready") else type(loop).__module__
        ring = create_ring(
            kind=kind.partition(".")[0],
            title=title,
            loop_no=_next_loop(),
            directory=directory,
        )
        self.recorder = Recorder(ring)
        self.recorder.on_failure = self._take_off
        self._hooks = hooks_for(self.recorder, loop)
        self._threads = ThreadHooks(self.recorder, loop)
        self._others = (
            EagerHooks(self.recorder, loop),
            MishapHooks(self.recorder, loop),
            PauseHooks(self.recorder),
        )
        self._dump_door = DumpDoor(ring)
        self._watchdog: Watchdog | None = None
        self._stock_close: Any = None
        self._close: Any = None

    def __repr__(self) -> str:
        return f"<Recording of {self.loop!r}, {self.recorder!r}>"

    def start(self) -> None:
        """Install every hook. The loop may be running, or not yet."""
        recorder, loop = self.recorder, self.loop
        current = None
        if loop.is_running():
            current = asyncio.current_task(loop)
            recorder.thread_id = threading.get_ident()
        tasks = asyncio.all_tasks(loop)
        ready = self._hooks.ready_tasks(tasks)
        for task in tasks:
            if task is current:
                recorder.current = recorder.adopt(task, RUNNING).no
            else:
                recorder.adopt(task, READY if task in ready else WAITING)
        self._stock_close = replaced(loop, "close")
        close = loop.close

        def close_and_stop() -> None:
            try:
                self.stop()
            finally:
                close()

        self._close = close_and_stop
        loop.close = close_and_stop  # type: ignore[method-assign]
        self._hooks.install()
        self._threads.install()
        for hooks in self._others:
            hooks.install()
        self._dump_door.open()
        roll_call = RollCall(recorder)
        self._watchdog = Watchdog(
            recorder,
            loop,
            self._dump_door,
            duties=(roll_call.beat, self._threads.beat),
            beat_s=self._beat_s,
        )
        recorder.look = self._watchdog.look_beside
        self._watchdog.start()

    def stop(self) -> None:
        """Take everything off and close the ring; the file stays to be read."""
        if _recordings.get(id(self.loop)) is self:
            del _recordings[id(self.loop)]
        self.recorder.is_aside = True
        if self.recorder.enabled:
            self.recorder.enabled = False
            self.recorder.ring.close(RingState.STOPPED)
        self._take_off()
        # Whoever wrapped a hook of ours keeps that, and the recorder with it.
        for entry in list(self.recorder.tasks.values()):
            entry.gone = entry.scope = None
        self.recorder.tasks.clear()

    def abandon(self) -> None:
        """Take everything off without a word to the ring."""
        self._take_off(keep_dumps=True)

    def _take_off(self, *, keep_dumps: bool = False) -> None:
        parts: list[Callable[[], None]] = [
            each.remove for each in (self._hooks, self._threads, *self._others)
        ]
        if self._watchdog is not None:
            parts.append(self._watchdog.stop)
        parts += [
            lambda: self._dump_door.close(keep_file=keep_dumps),
            lambda: restore(self.loop, "close", self._close, self._stock_close),
        ]
        for part in parts:
            try:
                part()
            except Exception:
                # The others come off still.
                logger.exception("a part of the recorder could not be taken off")


def _forget_everything() -> None:
    """In a forked child: the ring is the parent's, whose recording goes on."""
    for recording in list(_recordings.values()):
        recording.recorder.enabled = False
        recording.abandon()
    _recordings.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_everything)


def start_recording(
    loop: asyncio.AbstractEventLoop,
    *,
    title: str,
    directory: Path | None = None,
    beat_s: float = BEAT_S,
) -> Recording:
    """Begin to record `loop`, or join the recording that is under way.

    What is joined keeps its own folder and beat.

    Raises:
        RingError: no ring can be created.
    """
    recording = _recordings.get(id(loop))
    if recording is None or recording.loop is not loop:
        recording = Recording(loop, title=title, directory=directory, beat_s=beat_s)
        _recordings[id(loop)] = recording
        try:
            recording.start()
        except BaseException:
            # Half a recording would have no owner, and nobody to end it.
            recording.stop()
            raise
    recording.users += 1
    return recording


def stop_recording(recording: Recording) -> None:
    """Leave a recording; the last one to leave ends it."""
    recording.users -= 1
    if recording.users <= 0:
        recording.stop()


def current_recorder() -> Recorder | None:
    """Return the recorder of the running loop, or None if it is not recorded."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    recording = _recordings.get(id(loop))
    return None if recording is None else recording.recorder


#: A mark is a few words, not a report; and strings are few.
MARK_CHARS = 200


def mark(text: str) -> None:
    """Say in the recording that something happened now; a dashboard may keep the
    seconds around it. Does nothing where nobody records.

    From a loop it is told there; from any other thread, in every recorded loop. At
    most some words: what varies without end (numbers, ids) fills the string table.
    """
    recorder = current_recorder()
    found = [recorder] if recorder is not None else []
    if not found:
        found = [each.recorder for each in list(_recordings.values())]
    for each in found:
        try:
            if each.enabled:
                no = each.current if recorder is not None else 0
                ring = each.ring
                name = ring.intern(str(text)[:MARK_CHARS])
                ring.write(Kind.MARK, time.monotonic_ns(), 0, max(no, 0), name)
        except Exception as error:  # noqa: BLE001 - nothing is raised into the program
            logger.debug("a mark was not taken down: %r", error)


class record:
    """Record an event loop while a block or a coroutine function runs.

    Inside a coroutine it takes the running loop. Elsewhere decorate, or pass the
    loop, which need not run yet:

        @record(title="nightly import")
        async def main(): ...

        with asyncio.Runner() as runner, record(runner.get_loop()):
            runner.run(main())

    Raises (on entering):
        RecorderError: no loop was given and none is running.
        RingError: no ring can be created.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, *, title: str = ""
    ) -> None:
        if callable(loop):
            raise RecorderError("record needs its parentheses: @record()")
        self._loop = loop
        self._title = title
        # One object may be entered again, also while it is: by two loops, say.
        self._entered: list[Recording] = []

    def __enter__(self) -> Recording:
        loop = self._loop
        if loop is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                raise RecorderError(
                    "record() found no running event loop; "
                    "call it inside a coroutine, or pass the loop: record(loop)"
                ) from None
        recording = start_recording(loop, title=self._title or default_title())
        self._entered.append(recording)
        return recording

    def __exit__(self, *_: object) -> None:
        stop_recording(self._entered.pop())

    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return `function` with the loop recorded for as long as it runs."""
        if not inspect.iscoroutinefunction(function):
            raise RecorderError(
                f"@record() is for coroutine functions, got {function!r}; "
                "elsewhere use `with record(loop):`"
            )

        @functools.wraps(function)
        async def recorded(*args: P.args, **kwargs: P.kwargs) -> T:
            with record(self._loop, title=self._title):
                return await function(*args, **kwargs)

        return recorded


def observe(app: Any, *, title: str = "", server_timing: bool = False) -> Any:
    """Record the loop that serves an ASGI app, and every request in it.

    Starlette and FastAPI apps are wrapped from inside, around all their middleware
    (also what is added later), and returned as they are; any other ASGI app is
    returned wrapped. Recording begins at lifespan
    startup (or with the first request) and ends at lifespan shutdown. Should it
    fail, a line is logged and the app serves on.

    With `server_timing` each answer says in its header `Server-Timing` how long it
    took and how much of that it ran; see `recorder/server_timing.py`.
    """
    recordings: list[Recording] = []
    tried: weakref.WeakSet[Any] = weakref.WeakSet()

    def begin(inner: Any = None) -> None:
        loop = asyncio.get_running_loop()
        if loop in tried:
            return
        tried.add(loop)
        name = title or str(getattr(inner or app, "title", "")) or default_title()
        try:
            # Loops that were closed without a shutdown event, as test clients do.
            recordings[:] = [each for each in recordings if not each.loop.is_closed()]
            recordings.append(start_recording(loop, title=name))
        except DashboardError as error:
            logger.error("not recording: %s", error)
        except Exception:
            logger.exception("not recording; the app goes on without it")

    def end() -> None:
        loop = asyncio.get_running_loop()
        tried.discard(loop)
        for recording in [each for each in recordings if each.loop is loop]:
            recordings.remove(recording)
            stop_recording(recording)

    def recorder_of() -> Recorder | None:
        found = current_recorder()
        if found is None:
            begin()
            found = current_recorder()
        return found

    def wrap(inner: Any) -> Any:
        if server_timing:
            inner = time_answers(inner)
        return wrap_app(
            inner, recorder_of=recorder_of, on_startup=begin, on_shutdown=end
        )

    if not hasattr(app, "build_middleware_stack"):
        wrapped = wrap(app)

        # Servers tell an ASGI 3 app by its being a coroutine function.
        async def observed(scope: Any, receive: Any, send: Any) -> None:
            await wrapped(scope, receive, send)

        return observed
    # `add_middleware` would put us inside Starlette's own error handling, where
    # a failing handler has no status yet.
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: wrap(build())
    if getattr(app, "middleware_stack", None) is not None:
        app.middleware_stack = wrap(app.middleware_stack)
    return app


def default_title() -> str:
    """Name a program by what was started, as `ps` would."""
    main = getattr(sys.modules.get("__main__"), "__spec__", None)
    if main is not None and main.name:
        return str(main.name.removesuffix(".__main__"))
    return sys.argv[0].rpartition("/")[2] or "python"
