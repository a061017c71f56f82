"""The doors: begin and end the recording of a loop, in one line each.

`observe(app)` for ASGI apps, `record()` for plain asyncio programs. A loop is
recorded once, however many ask; the last one to leave ends it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dashboard.errors import DashboardError, RecorderError
from dashboard.recorder.hooks import hooks_for, replaced, restore
from dashboard.recorder.recorder import READY, RUNNING, WAITING, Recorder
from dashboard.recorder.requests import wrap_app
from dashboard.recorder.threads import ThreadHooks
from dashboard.recorder.watchdog import Watchdog
from dashboard.records import RingState
from dashboard.ring import create_ring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("loopscope")

_next_loop = itertools.count(1).__next__
_recordings: dict[int, Recording] = {}


class Recording:
    """The recording of one loop, from `start` to `stop`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        title: str,
        directory: Path | None = None,
    ) -> None:
        self.loop = loop
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
            self.stop()
            close()

        self._close = close_and_stop
        loop.close = close_and_stop  # type: ignore[method-assign]
        self._hooks.install()
        self._threads.install()
        self._watchdog = Watchdog(recorder, loop)
        self._watchdog.start()

    def stop(self) -> None:
        """Take everything off and close the ring; the file stays to be read."""
        if _recordings.get(id(self.loop)) is self:
            del _recordings[id(self.loop)]
        if self.recorder.enabled:
            self.recorder.enabled = False
            self.recorder.ring.close(RingState.STOPPED)
        self._take_off()

    def abandon(self) -> None:
        """Take everything off without a word to the ring."""
        self._take_off()

    def _take_off(self) -> None:
        self._hooks.remove()
        self._threads.remove()
        if self._watchdog is not None:
            self._watchdog.stop()
        restore(self.loop, "close", self._close, self._stock_close)


def _forget_everything() -> None:
    """In a forked child: the ring is the parent's, whose recording goes on."""
    for recording in list(_recordings.values()):
        recording.recorder.enabled = False
        recording.abandon()
    _recordings.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_everything)


def start_recording(
    loop: asyncio.AbstractEventLoop, *, title: str, directory: Path | None = None
) -> Recording:
    """Begin to record `loop`, or join the recording that is under way.

    Raises:
        RingError: no ring can be created.
    """
    recording = _recordings.get(id(loop))
    if recording is None or recording.loop is not loop:
        recording = Recording(loop, title=title, directory=directory)
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


@contextmanager
def record(
    loop: asyncio.AbstractEventLoop | None = None, *, title: str = ""
) -> Iterator[Recording]:
    """Record an event loop while the block runs.

    Inside a coroutine it takes the running loop. Elsewhere pass the loop, which
    need not run yet:

        with asyncio.Runner() as runner, record(runner.get_loop()):
            runner.run(main())

    Raises:
        RecorderError: no loop was given and none is running.
        RingError: no ring can be created.
    """
    if loop is None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RecorderError(
                "record() found no running event loop; "
                "call it inside a coroutine, or pass the loop: record(loop)"
            ) from None
    recording = start_recording(loop, title=title or default_title())
    try:
        yield recording
    finally:
        stop_recording(recording)


def observe(app: Any, *, title: str = "") -> Any:
    """Record the loop that serves an ASGI app, and every request in it.

    Starlette and FastAPI apps are wrapped from inside, around all their middleware
    (also what is added later), and returned as they are; any other ASGI app is
    returned wrapped. Recording begins at lifespan
    startup (or with the first request) and ends at lifespan shutdown. Should it
    fail, a line is logged and the app serves on.
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
