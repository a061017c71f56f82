"""Start the demo app as a child process, and start it again when it ends.

The child is never trusted to end by itself: its loop may be blocked, that is what
it is for. It never outlives this process, however this process ends.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dashboard.errors import DemoUnavailable
from dashboard.server.programs import ports
from dashboard.server.reading.folders import make_session_folder

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Mapping
    from types import TracebackType

#: First wait after a crash: short enough not to be noticed, long enough to be seen.
BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 5.0
#: A child that lived this long was fine: its end says nothing about the next one.
HEALTHY_AFTER_S = 10.0
#: What was wrong stays on the page this long after it is fine again.
NOTICE_KEEPS_S = 5.0
#: Ctrl-C must end everything within a second, and viewers take half of that. An
#: idle uvicorn ends in 0.2 s; a blocked one never does, so more would not help.
TERMINATE_PATIENCE_S = 0.25
#: FastAPI's imports take 0.4 s here; a slow laptop's first start several times that.
START_PATIENCE_S = 30.0


class Stage:
    """The demo app's process: one at a time, supervised, in a folder of its own.

    Lives in the dashboard's event loop. `ring_dir` None makes a private folder for
    this session, which is removed at the end; a given one is used and left alone.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ring_dir: Path | None = None,
        loop: str = "asyncio",
        workers: int = 1,
        environ: Mapping[str, str] = {},
    ) -> None:
        self._host = host
        self._port = port
        self._loop = loop
        self._workers = workers
        self._environ = dict(environ)
        self._session: tempfile.TemporaryDirectory[str] | None = None
        if ring_dir is None:
            self._session = make_session_folder()
            ring_dir = Path(self._session.name)
        self.ring_dir = ring_dir
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._notice = ""
        self._notice_ends: asyncio.TimerHandle | None = None
        self.starts = 0

    def __repr__(self) -> str:
        state = "up" if self._up.is_set() else "down"
        return f"<Stage {state}, port {self._port}, {self.starts} starts>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Address of the demo app. With port 0, known once it has been up."""
        return ports.url(self._host, self._port)

    @property
    def pid(self) -> int | None:
        """Process id of the child that is up now."""
        return self._process.pid if self._process and self._up.is_set() else None

    def notices(self) -> list[str]:
        """Return what a viewer must know about the demo app now; usually nothing."""
        return [self._notice] if self._notice else []

    def target(self) -> str:
        """Return the address to send requests to, or raise `DemoUnavailable`."""
        if not self._up.is_set():
            raise DemoUnavailable(self._notice or "the demo app is starting; try again")
        return self.url

    async def wait_up(self) -> None:
        """Wait until the demo app answers requests."""
        await self._up.wait()

    async def start(self) -> None:
        """Begin to start the child; does not wait until it is up."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name="stage")

    async def stop(self) -> None:
        """End the child, blocked or not, and remove the session's folder."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        if self._notice_ends is not None:
            self._notice_ends.cancel()
        if self._session is not None:
            self._session.cleanup()

    async def _supervise(self) -> None:
        backoff_s = BACKOFF_MIN_S
        while True:
            began_s = asyncio.get_running_loop().time()
            outcome = await self._run_once()
            lived_s = asyncio.get_running_loop().time() - began_s
            backoff_s = BACKOFF_MIN_S if lived_s > HEALTHY_AFTER_S else backoff_s
            self._say(outcome)
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)

    async def _run_once(self) -> str:
        """Run one child from start to end; return a sentence on why it ended."""
        try:
            ports.find_free(self._host, self._port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"the demo app cannot listen on {self._host} ({error.strerror})"
            return (
                f"port {self._port} on {self._host} is in use by another program, so "
                "the demo app waits for it; choose another with --demo-port"
            )
        self._process = await self._spawn()
        self.starts += 1
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                port = await _read_port(self._process)
            if port:
                self._port = port
                self._up.set()
                self._forget_notice_soon()
            await self._process.wait()
        except TimeoutError:
            return f"the demo app did not start within {START_PATIENCE_S:g} s; trying again"
        finally:
            was_up = self._up.is_set()
            self._up.clear()
            await _end(self._process)
        verb = "stopped" if was_up else "could not start"
        reason = _reason(self._process.returncode)
        return f"the demo app {verb} ({reason}); starting it again"

    async def _spawn(self) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "dashboard.demo"]
        command += ["--host", self._host, "--port", str(self._port)]
        command += ["--loop", self._loop, "--workers", str(self._workers)]
        command += ["--die-with-parent"]
        return await asyncio.create_subprocess_exec(
            *command,
            # Held open, never written: its end is how the child learns of ours.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | self._environ | {"LOOPSCOPE_DIR": str(self.ring_dir)},
            # Ctrl-C in the terminal is for us: we end the child, in order.
            start_new_session=True,
        )

    def _say(self, notice: str) -> None:
        if self._notice_ends is not None:
            self._notice_ends.cancel()
        self._notice = notice

    def _forget_notice_soon(self) -> None:
        self._notice_ends = asyncio.get_running_loop().call_later(
            NOTICE_KEEPS_S, self._say, ""
        )


async def _read_port(process: asyncio.subprocess.Process) -> int | None:
    """Wait until the child says where it listens; None if it ends before."""
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"http://"):
            return int(line.rpartition(b":")[2])
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the child and whatever it started: politely if its loop can still hear."""
    if process.returncode is None:
        process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), TERMINATE_PATIENCE_S)
    # The group, also after a polite end: workers of a killed child live on.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _reason(code: int | None) -> str:
    if code is None:
        return "unknown"
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
