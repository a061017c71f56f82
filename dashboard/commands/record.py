"""Run a command and write what all its loops do into a file, without a page."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dashboard
from dashboard.errors import RecordingError, SettingsError
from dashboard.recorder import started
from dashboard.server.diagnosis.advice import Advice
from dashboard.server.diagnosis.excerpt import lines_of
from dashboard.server.programs.program import Program
from dashboard.server.reading.folders import make_session_folder, rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.reading.thread_cpu import ThreadCpu
from dashboard.server.recordings.keeper import FileTape, head_of
from dashboard.server.session import Session
from dashboard.server.streaming.wire import FRAME_HZ

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from dashboard.server.settings import Settings

logger = logging.getLogger("loopscope")

FRAME_S = 1 / FRAME_HZ
#: What is told of a process after its end is read within so many more rounds.
LAST_ROUNDS = 12


def record(settings: Settings, options: argparse.Namespace, command: list[str]) -> int:
    """Run the command to its end, or until Ctrl-C; return its exit code.

    Raises:
        RecordingError: the file cannot be written.
        SettingsError: there is no such command.
    """
    if not command:
        raise SettingsError(
            "say behind -- what to run, as in "
            "loopscope record -o shop.loopscope -- uvicorn main:app"
        )
    path = Path(options.output)
    with _open(path) as file, make_session_folder() as folder:
        taker = _Taker(settings, Path(folder))
        try:
            code = _run(command, Path(folder), taker, file)
        finally:
            taker.close()
    if not taker.session.loops and taker.failure is None:
        print("loopscope: it ran no event loop; nothing is recorded", file=sys.stderr)
        path.unlink(missing_ok=True)
    elif taker.size_bytes:
        size_kb = taker.size_bytes / 1024
        print(f"recorded     {path}  ({size_kb:,.0f} KB; loopscope open {path})")
    return code


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Give the file, with what it had: that goes when there is something to record."""
    is_new = not path.exists()
    try:
        # It says what the program did: nobody else's business.
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        # Without a buffer, which would try again when it is closed.
        file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
    except OSError as error:
        raise RecordingError(
            f"{str(path)!r} cannot be written ({error.strerror}); "
            "name another file with -o"
        ) from None
    with file:
        try:
            yield file
        except SettingsError:
            if is_new:
                path.unlink(missing_ok=True)
            raise


def _run(command: list[str], folder: Path, taker: _Taker, file: BinaryIO) -> int:
    codes: list[int] = []
    ended = threading.Event()

    def on_end(code: int) -> None:
        codes.append(code)
        ended.set()

    home = str(Path(dashboard.__file__).parent.parent)
    paths = [os.path.dirname(started.__file__), os.environ.get("PYTHONPATH", "")]
    environ = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "LOOPSCOPE_HOME": home,
    }
    try:
        program = Program(command, environ=environ, ring_dir=folder, on_end=on_end)
    except OSError as error:
        raise SettingsError(
            f"{command[0]!r} cannot be run ({error.strerror}); "
            "say behind -- what you would type"
        ) from None

    def leave(number: int, frame: object) -> None:
        if ended.is_set():
            program.kill()
        else:
            program.signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        taker.begin(file)
        while not (ended.is_set() or program.wait(0)):
            taker.turn()
            time.sleep(FRAME_S)
    finally:
        program.stop()
    code = codes[0] if codes else program.code
    return 128 - code if code < 0 else code


class _Taker:
    """Follow every ring of a folder into a file.

    Whatever goes wrong with that, the program goes on: it is told, once, and no more.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._advice = Advice(lines_of)
        self.session = Session(
            origin_ns=time.monotonic_ns(), find_remedy=self._advice.find
        )
        self.session.stalls.threshold_ns = round(settings.stall_ms * 1e6)
        self._tape: FileTape | None = None
        self._has_failed = False
        self._cpu = ThreadCpu()
        self._follower = Follower(
            rings_in(folder),
            self.session,
            show_ended=True,
            allow_dumps=settings.dumps,
        )

    @property
    def size_bytes(self) -> int:
        """How much the file has."""
        return self._tape.size_bytes if self._tape is not None else 0

    @property
    def failure(self) -> Exception | None:
        """Why the file ends before the program, if it does."""
        return self._tape.failure if self._tape is not None else None

    def begin(self, file: BinaryIO) -> None:
        """Take down into this file from now on, in place of what it has."""
        # A pipe or a device has nothing, and cannot be cut.
        with suppress(OSError):
            file.truncate(0)
        self._tape = FileTape(file, head_of(self.session))
        self._tell_failure()
        self.session.tape = self._tape.tape

    def turn(self) -> None:
        """Read what there is, and take it down, as long as that can be."""
        self._try(self._read)

    def _try(self, look: Callable[[], None]) -> None:
        if self.failure is not None:
            return
        try:
            look()
        except Exception:
            # As with the page: what is read next may be right again.
            if not self._has_failed:
                logger.exception("loopscope: a look failed; going on with the next")
            self._has_failed = True
        self._tell_failure()

    def _tell_failure(self) -> None:
        if self.failure is not None:
            why = getattr(self.failure, "strerror", None) or repr(self.failure)
            # Not printed: the console may be a file on the same full disk.
            logger.warning(
                "loopscope: the recording ends early (%s); the program is left alone",
                why,
            )

    def _read(self) -> None:
        ends_s = time.monotonic() + FRAME_S
        # A loop may tell more than anybody can follow: a page is turned nevertheless.
        while self._follower.poll() and time.monotonic() < ends_s:
            pass
        now_ns = time.monotonic_ns()
        session = self.session
        if session.findings.is_due(now_ns):
            cpu = self._cpu.measure(session.loops.values(), now_ns)
            session.look(now_ns, cpu)
        self._turn_page(now_ns)
        session.requests.begin_frame()
        session.stalls.take()
        session.incidents.take()

    def _turn_page(self, now_ns: int) -> None:
        change = self.session.turn_page(now_ns)
        if self._tape is not None:
            self._tape.draw(now_ns, change)

    def _look_back(self) -> None:
        """Say what is to be said of what it did last."""
        now_ns = time.monotonic_ns()
        self.session.look(now_ns, {})
        self._turn_page(now_ns)

    def close(self) -> None:
        """Take down the end."""
        if self._tape is not None and self.failure is None:
            for _ in range(LAST_ROUNDS):
                self.turn()
                time.sleep(FRAME_S)
            self._try(self._look_back)
            self._try(self._tape.flush)
        self._follower.close()
        self._advice.close()
