"""Let the dashboard ask for the stack of a thread that C code holds up.

While one C call keeps the interpreter's lock no Python code of this process runs,
the watchdog's included. What still works is a signal whose C handler writes the
stack to a file: `faulthandler`. It crashes an interpreter that is executing Python,
so nobody but the dashboard's rule (server/reading/dumps.py) may send it. One that is on its way
when the handler comes off must not end the program, as a real-time signal does by
default: so from then on it is ignored, if it was the main thread that opened the door.

The file is private and beside the ring; its first lines say which paths are not the
user's code. Everything else comes off again: handler, file.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from dashboard.recorder.reasons import DEMO, LIBRARY, RECORDER
from dashboard.records import Cell
from dashboard.ring import DUMP_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from dashboard.ring import RingWriter

#: `off` never registers, `on` also beside a faulthandler of the app's own.
SWITCH = "LOOPSCOPE_DUMPS"
#: Real-time signals are nobody's habit (gunicorn takes USR1, USR2, TTIN, HUP); the
#: C library keeps the first few, programs that use any begin at SIGRTMIN.
FROM_THE_END = 4
#: A dump of a hundred frames has some ten thousand bytes.
MAX_FILE_BYTES = 64 << 10

#: Signals that we have left ignored; the next recording takes them again.
_ignored: set[int] = set()


class DumpDoor:
    """The handler and file of one ring, from `open` to `close`."""

    def __init__(self, ring: RingWriter) -> None:
        self._ring = ring
        self._path: Path = ring.path.with_suffix(DUMP_SUFFIX)
        self._signal = 0
        self._file = -1
        self._head_bytes = 0

    def __repr__(self) -> str:
        return f"<DumpDoor on signal {self._signal}>"

    def open(self) -> None:
        """Register, or say in the ring's header why not. Never raises."""
        try:
            refusal = self._refusal()
            if not refusal:
                self._signal = _free_signal()
                refusal = "" if self._signal else "no real-time signal is free"
            if not refusal:
                self._register()
                self._ring.cells[Cell.DUMP_SIGNAL] = self._signal
        except Exception as error:  # noqa: BLE001 - recording goes on without it
            refusal = f"faulthandler cannot be used: {type(error).__name__}"
            self.close()
        if refusal:
            self._ring.cells[Cell.DUMP_SIGNAL] = -self._ring.intern(refusal)

    def close(self, *, keep_file: bool = False) -> None:
        """Take the handler off and delete the file. A forked child keeps the file,
        which is its parent's."""
        if not keep_file:
            # First: who looks at the header again before it sends must find this.
            self._ring.cells[Cell.DUMP_SIGNAL] = 0
        number, self._signal = self._signal, 0
        if number:
            faulthandler.unregister(number)
        file, self._file = self._file, -1
        if file >= 0:
            # Programs that become daemons close every file, without asking whose.
            with suppress(OSError):
                os.close(file)
            if not keep_file:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)

    def trim(self) -> None:
        """Forget old dumps once they have grown large. Cheap; for the watchdog."""
        file = self._file
        if file >= 0:
            with suppress(OSError):
                if os.fstat(file).st_size > MAX_FILE_BYTES:
                    os.ftruncate(file, self._head_bytes)

    def _refusal(self) -> str:
        switch = os.environ.get(SWITCH, "").lower()
        if switch in ("off", "0", "no", "false"):
            return f"switched off by {SWITCH}"
        if not hasattr(faulthandler, "register") or not hasattr(signal, "SIGRTMAX"):
            return "this system has no real-time signals"
        # Before 3.13 nothing runs without the lock.
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            return "this interpreter has no lock that C code could hold"
        if faulthandler.is_enabled() and switch != "on":
            return f"the app uses faulthandler itself; {SWITCH}=on allows both"
        return ""

    def _register(self) -> None:
        head = "".join(
            f"{word} {path}\n"
            for word, paths in (
                ("library", (*LIBRARY, RECORDER)),
                ("user", (DEMO,)),
            )
            for path in paths
            if "\n" not in path
        ).encode("utf-8", "surrogateescape")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_APPEND
        self._file = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
        os.write(self._file, head)
        self._head_bytes = len(head)
        # What is there now is what `unregister` puts back, in one go. Only the main
        # thread may say so; elsewhere the default stays, as Python has no other way.
        with suppress(ValueError):
            signal.signal(self._signal, signal.SIG_IGN)
            _ignored.add(self._signal)
        faulthandler.register(
            self._signal, file=self._file, all_threads=False, chain=False
        )


def _free_signal() -> int:
    """Return a real-time signal that nobody catches, ignores or blocks; else 0."""
    caught, ignored = _taken_signals()
    for number in range(signal.SIGRTMAX - FROM_THE_END, signal.SIGRTMIN, -1):
        usual = signal.SIG_DFL
        if number in _ignored:
            usual = signal.SIG_IGN
        elif ignored >> (number - 1) & 1:
            continue
        if not caught >> (number - 1) & 1 and signal.getsignal(number) is usual:
            return number
    return 0


def _taken_signals() -> tuple[int, int]:
    """Return the signals that are caught or blocked, and those that are ignored.

    One bit each, as the system sees them: `signal.getsignal` knows only of handlers
    that Python code has set.
    """
    found = {"SigCgt": 0, "SigBlk": 0, "SigIgn": 0}
    with suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            word, _, value = line.partition(":")
            if word in found:
                found[word] = int(value, 16)
    return found["SigCgt"] | found["SigBlk"], found["SigIgn"]
