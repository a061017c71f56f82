"""Run the user's program as a child that is recorded, and leave nothing of it behind.

Neither restarts nor judges it: what it prints goes to the terminal, and when it ends,
it has ended. It and all that it starts have a process group of their own, which ends
with us, however we end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from dashboard.recorder import target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

#: An app that closes its database politely gets this long; a second Ctrl-C is at once.
STOP_PATIENCE_S = 5.0
#: Waits until its pipe closes, which is when we are gone; then ends the whole group.
#: A shell: in the program itself a thread would stand in the way of a fork.
_GUARD = ["/bin/sh", "-c", 'cat >/dev/null; kill -s KILL -- "-$0"']


def uvicorn_command(
    *, host: str, port: int, workers: int, reload: bool, extra: Sequence[str] = ()
) -> list[str]:
    """Return the command that serves the app that `app_environ` names."""
    command = [sys.executable, "-m", "uvicorn", f"{target.__name__}:app", "--factory"]
    command += ["--loop", f"{target.__name__}:new_loop"]
    command += ["--host", host, "--port", str(port)]
    # Ctrl-C must not wait for streams that never end by themselves.
    command += ["--timeout-graceful-shutdown", "1"]
    if workers > 1:
        command += ["--workers", str(workers)]
    if reload:
        command += ["--reload"]
    return [*command, *extra]


def app_environ(app: str, *, factory: bool, loop: str) -> dict[str, str]:
    """Return the variables that tell the child, and its workers, what to serve."""
    return {
        target.APP: app,
        target.FACTORY: "1" if factory else "",
        target.LOOP: loop,
    }


def try_app(environ: dict[str, str]) -> int:
    """Import the app in a process of its own; return 0, or the code to exit with.

    A server with workers would start one after the other in vain.
    """
    command = [sys.executable, "-m", target.__name__]
    return subprocess.run(command, env=os.environ | environ, check=False).returncode


class Program:
    """A command in a process group of its own. Not thread-safe.

    `on_end` is called in a thread when it has ended by itself, with its exit code
    (negative: the signal that killed it).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environ: dict[str, str],
        ring_dir: Path,
        on_end: Callable[[int], None],
    ) -> None:
        self._on_end = on_end
        self._is_stopping = False
        self._process = subprocess.Popen(
            command,
            env=os.environ | environ | {"LOOPSCOPE_DIR": str(ring_dir)},
            stdin=subprocess.DEVNULL,
            # Ctrl-C in the terminal is for us: we pass it on, and wait.
            start_new_session=True,
        )
        self._guard = subprocess.Popen(
            [*_GUARD, str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=self._wait, daemon=True).start()

    def __repr__(self) -> str:
        return f"<Program {self._process.args!r}, pid {self._process.pid}>"

    @property
    def code(self) -> int:
        """Its exit code, or minus the signal that killed it; 0 while it runs."""
        return self._process.returncode or 0

    def signal(self, number: int) -> None:
        """Ask all of it to end, as the terminal would."""
        self._is_stopping = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait(self, patience_s: float) -> bool:
        """Wait until its first process has ended; say whether it has."""
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, *, patience_s: float = STOP_PATIENCE_S) -> None:
        """End it, politely if it can still hear, and whatever it started."""
        try:
            if self._process.poll() is None and not self._is_stopping:
                self.signal(signal.SIGTERM)
            self.wait(patience_s)
        finally:
            # The group, also after a polite end: workers of a killed child live on.
            self.kill()
            self._process.wait()
            self._guard.kill()
            self._guard.communicate()

    def kill(self) -> None:
        """End all of it now."""
        self._is_stopping = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _wait(self) -> None:
        code = self._process.wait()
        if not self._is_stopping:
            self._on_end(code)
