"""Ask a thread for its stack by a signal, only when that cannot hurt.

`faulthandler` writes a stack without the interpreter's lock, from a signal handler. It
crashes an interpreter that is executing Python (after 5 to 900 dumps, measured), and
never one whose lock is held by C code, as then no frame moves. `Rule` is that
difference. What comes back is other people's text: read within bounds, believed as
little as possible.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import stat
import time
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from dashboard.records import Cell
from dashboard.ring import DUMP_SUFFIX, process_began
from dashboard.server.model.stall import Line
from dashboard.server.reading.names import Place
from dashboard.server.reading.process import count_turns, look_at_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from dashboard.ring import Identity, RingReader
    from dashboard.server.model.loop_model import LoopModel
    from dashboard.server.reading.process import ThreadLook

#: The watchdog beats every 80 ms, unless the loop itself came by.
STALE_NS = 120_000_000
#: It asks for the lock every 5 ms; from the second time on its holder is told so.
ASKS = 3
#: A holder that executes Python lets go within microseconds of being told. This much
#: of a processor's time afterwards, and the lock still held: it is in C.
BURNT_NS = 5_000_000
#: What was seen may be over by the time of the signal. The last glance takes some 40 µs;
#: if it took longer we were put to sleep on the way, and look again a moment later.
MAX_GAP_NS = 250_000
#: A thread writes its stack within a millisecond of the signal, once it has a processor.
PATIENCE_LOOKS = 12
MAX_DUMP_BYTES = 64 << 10
MAX_HEAD_BYTES = 8 << 10
MAX_LINES = 100
MAX_NAME = 500
RECORDER = "/dashboard/recorder/"
LINE = re.compile(r'  File "(.*)", line (\d+|\?\?\?) in (.*)')
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
#: The kernel's number of `tgkill`, for C libraries that do not offer it by name.
TGKILL = {"x86_64": 234, "aarch64": 131, "riscv64": 131, "ppc64le": 250, "s390x": 241}


class Rule:
    """Tell from three looks or more whether C code holds the interpreter's lock.

    1. The watchdog's beat is stale, and the thread keeps asking for the lock (it goes
       to sleep every 5 ms): so it is not the machine that is too busy for it.
    2. After it has asked, the loop's thread burns processor time: so that one is not
       what the machine has no time for, nor does it sleep in a system call, which a
       signal would cut short.
    3. The lock is still not given away. Python code would have, long since; and it
       would have gone to sleep to do so, which the loop's thread has not, either. (The
       beat alone does not tell: with many threads the watchdog may wait for its turn
       while the loop's thread has had several.)
    """

    def __init__(self) -> None:
        self._beat_ns = 0
        self._first_switches = 0
        self._asked: ThreadLook | None = None

    def __repr__(self) -> str:
        return f"<Rule about the beat of {self._beat_ns}>"

    def forget(self) -> None:
        """Begin anew: the silence is over."""
        self._beat_ns = 0

    def is_held(self, beat_ns: int, watchdog: ThreadLook, loop: ThreadLook) -> bool:
        """Take in a look at both threads, with the beat as it was *after* both."""
        asked = self._asked
        if beat_ns != self._beat_ns:
            self._beat_ns = beat_ns
            self._first_switches = watchdog.switches
            self._asked = None
        elif asked is None or asked.switches != loop.switches:
            self._asked = None
            if watchdog.switches - self._first_switches >= ASKS:
                self._first_switches = watchdog.switches
                self._asked = loop
        else:
            return loop.state == "R" and loop.cpu_ns - asked.cpu_ns >= BURNT_NS
        return False


class Dumps:
    """Ask the thread of one loop for its stack, and read what it wrote."""

    def __init__(
        self,
        reader: RingReader,
        *,
        look: Callable[[int, int], ThreadLook | None] = look_at_thread,
        glance: Callable[[int, int], int] = count_turns,
        send: Callable[[int, int, int], None] | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        again: bool = False,
    ) -> None:
        self.sent = 0
        """How many signals were sent."""
        self.refusal = ""
        """Why none can be, in words."""
        self.is_busy = False
        """Whether the next look should come soon: the rule is at it, or a dump."""
        self._reader = reader
        self._look = look
        self._glance = glance
        self._send = send or send_to_thread
        # A held lock means one stack: once is enough, but for a test of safety.
        self._again = again
        self._clock_ns = clock_ns
        self._rule = Rule()
        self._asked_beat_ns = 0
        self._asked_at = -1
        self._looks = 0
        self._file = -1
        self._is_users: Callable[[str], bool] = lambda file: True

    def __repr__(self) -> str:
        return f"<Dumps of {self._reader.path.name}, {self.sent} sent>"

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def follow(self, now_ns: int, cells: dict[Cell, int], model: LoopModel) -> bool:
        """Do what is to be done at this moment; say whether a signal was sent."""
        if self._asked_at >= 0:
            self._collect(now_ns, model)
        self.is_busy = self._asked_at >= 0
        number = cells[Cell.DUMP_SIGNAL]
        beat_ns = cells[Cell.BEAT]
        if (
            number <= 0
            or self.refusal
            or now_ns - beat_ns < STALE_NS
            or not cells[Cell.OWNER]
            or not model.running_owner
            or now_ns - model.running_since < STALE_NS
        ):
            self._rule.forget()
            return False
        if beat_ns == self._asked_beat_ns and not self._again:
            return False
        self.is_busy = True
        return self._ask(number, beat_ns, cells)

    def _ask(self, number: int, beat_ns: int, cells: dict[Cell, int]) -> bool:
        identity = self._reader.identity
        thread = cells[Cell.LOOP_THREAD]
        if not thread or not self._open(identity):
            return False
        asked_at = os.fstat(self._file).st_size
        # From here to the signal every microsecond counts: the call may end.
        watchdog = self._look(identity.pid, cells[Cell.WATCHDOG_THREAD])
        loop = self._look(identity.pid, thread)
        if watchdog is None or loop is None:
            return False
        bit = 1 << (number - 1)
        # A program that has replaced itself handles it no more, and would die of it; a
        # thread that holds it back would get it later, when it executes Python.
        if not loop.caught & bit or loop.held_back & bit:
            self._rule.forget()
            return False
        now = self._reader.read_cells()
        if not self._rule.is_held(now[Cell.BEAT], watchdog, loop):
            return False
        # Looking took its time. Were the call over and the lock lost and won again
        # meanwhile, the thread would have slept, and had another turn since.
        began_ns = self._clock_ns()
        if self._glance(identity.pid, thread) != loop.turns:
            return False
        now = self._reader.read_cells()
        if now[Cell.BEAT] != beat_ns or now[Cell.DUMP_SIGNAL] != number:
            return False
        if self._clock_ns() - began_ns > MAX_GAP_NS:
            return False
        try:
            self._send(identity.pid, thread, number)
        except PermissionError:
            self.refusal = f"process {identity.pid} may not be sent signals from here"
            return False
        except OSError:
            return False
        self.sent += 1
        self._asked_beat_ns = beat_ns
        self._asked_at = asked_at
        self._looks = 0
        return True

    def _open(self, identity: Identity) -> bool:
        """Open the file of dumps, if the process is the one that made it."""
        if self._file >= 0:
            return True
        if process_began(identity.pid) not in (0, identity.pid_began):
            return False
        try:
            self._file, head = open_dumps(self._reader.path.with_suffix(DUMP_SUFFIX))
        except OSError as error:
            self.refusal = f"the file of dumps cannot be read ({error.strerror})"
            return False
        self._is_users = make_is_users(head)
        # Loaded now: later, it would stand between the last look and the signal.
        _libc()
        return True

    def _collect(self, now_ns: int, model: LoopModel) -> None:
        """Take what the thread has written; it may need a moment longer."""
        self._looks += 1
        try:
            data = os.pread(self._file, MAX_DUMP_BYTES, self._asked_at)
        except OSError:
            data = b""
        stack, is_whole = parse_dump(data.decode("utf-8", "replace"), self._is_users)
        if not (is_whole and data.endswith(b"\n")) and self._looks < PATIENCE_LOOKS:
            return
        self._asked_at = -1
        if data:
            # In a builtin that the loop itself calls no Python code runs.
            place = blame(stack) or Place("", 0, model.running_name())
            model.samples.dumped(now_ns, place, tuple(stack))


def open_dumps(path: Path) -> tuple[int, str]:
    """Open a file of dumps; return it and its first lines, which are no dump."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    file = os.open(path, flags)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        os.close(file)
        raise OSError(0, "it is no regular file")
    return file, os.pread(file, MAX_HEAD_BYTES, 0).decode("utf-8", "replace")


def make_is_users(head: str) -> Callable[[str], bool]:
    """Return what tells the user's own files, by the paths that the recorder named."""
    paths: dict[str, list[str]] = {"library": [], "user": []}
    for line in head.splitlines():
        word, _, path = line.partition(" ")
        if word not in paths or not path:
            break
        paths[word].append(path)
    library, users = tuple(paths["library"]), tuple(paths["user"])

    def is_users(file: str) -> bool:
        if file.startswith(users):
            return True
        if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
            return False
        return not file.startswith(library)

    return is_users


def parse_dump(text: str, is_users: Callable[[str], bool]) -> tuple[list[Line], bool]:
    """Return the lines of the step in a dump, innermost first, and if it is whole.
    Ours are none of them.

    A stack ends where the loop's machinery begins; one that is longer than what
    `faulthandler` writes is whole, too.
    """
    found: list[Line] = []
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if "most recent call first" in line]
    for line in lines[starts[-1] + 1 :] if starts else ():
        match = LINE.fullmatch(line)
        if match is None:
            if line.startswith("  ..."):
                return found, True
            continue
        file, number, function = match.groups()
        place = Place(
            _unescape(file)[:MAX_NAME],
            int(number[:9]) if number.isdigit() else 0,
            _unescape(function)[:MAX_NAME],
        )
        if _is_loops(place) or len(found) >= MAX_LINES:
            return found, True
        if RECORDER not in place.file:
            found.append(Line(place, is_users(place.file)))
    return found, False


def blame(stack: Iterable[Line]) -> Place | None:
    """Return the innermost line of the user's code, else the innermost of all."""
    lines = list(stack)
    users = next((line.place for line in lines if line.is_users), None)
    return users or (lines[0].place if lines else None)


def _is_loops(place: Place) -> bool:
    if RECORDER in place.file:
        return place.function in ("run_once", "__call__")
    is_base = place.file.endswith("asyncio/base_events.py")
    return is_base and place.function in ("_run_once", "run_forever")


def _unescape(text: str) -> str:
    """Turn `\\xe9` and the like, as faulthandler writes what is not ASCII, back."""

    def char(match: re.Match[str]) -> str:
        with suppress(ValueError):
            return chr(int(match[1] or match[2] or match[3], 16))
        return match[0]

    return ESCAPE.sub(char, text)


def send_to_thread(pid: int, thread: int, number: int) -> None:
    """Send a signal to one thread of a process, or raise OSError.

    The loop need not run in the main thread, which `os.kill` would reach.
    """
    libc = _libc()
    tgkill = getattr(libc, "tgkill", None)
    if tgkill is not None:
        failed = tgkill(pid, thread, number)
    elif platform.machine() in TGKILL:
        failed = libc.syscall(TGKILL[platform.machine()], pid, thread, number)
    else:
        raise PermissionError(0, "this system cannot signal a thread")
    if failed:
        code = ctypes.get_errno()
        error = PermissionError if code in (1, 13) else OSError
        raise error(code, os.strerror(code))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
