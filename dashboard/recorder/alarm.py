"""Wake a thread when the loop has not come by for a while.

A thread that only sleeps must take the interpreter's lock each time it wakes up, if
only to see that all is well. Here the loop's thread puts the alarm off as it comes by,
in the kernel (Linux: `timerfd`), and nobody wakes up at all. Elsewhere it is a sleep.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

_MONOTONIC, _CLOEXEC = time.CLOCK_MONOTONIC, 0o2000000


class Alarm:
    """Goes off again and again, `seconds` after it last did or was put off."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._timer = _make_timer(seconds)

    def wait(self) -> None:
        """Block until it goes off; for the one thread that it wakes."""
        if self._timer is None:
            time.sleep(self._seconds)
        else:
            os.read(self._timer.descriptor, 8)

    def put_off(self) -> None:
        """Begin to count anew. In any thread; costs a microsecond."""
        if self._lock.acquire(blocking=False):
            try:
                if self._timer is not None:
                    self._timer.set()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Give the timer back; for the thread that it wakes, when it ends."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            os.close(timer.descriptor)


class _Timer:
    """A timer of the kernel's, and what sets it."""

    def __init__(self, descriptor: int, set_: Any) -> None:
        self.descriptor = descriptor
        self.set = set_


def _make_timer(seconds: float) -> _Timer | None:
    """Return a timer that runs, or None where there is none to be had."""
    if sys.platform != "linux":
        return None
    try:
        if sys.version_info >= (3, 13):
            fd = os.timerfd_create(_MONOTONIC, flags=os.TFD_CLOEXEC)

            def set_() -> None:
                os.timerfd_settime(fd, initial=seconds, interval=seconds)

        else:
            import ctypes

            libc = ctypes.PyDLL(None)
            fd = libc.timerfd_create(_MONOTONIC, _CLOEXEC)
            if fd < 0:
                return None
            each = (int(seconds), int(seconds % 1 * 1e9))
            # struct itimerspec: the interval, then the first time.
            times = ctypes.byref((ctypes.c_long * 4)(*each, *each))

            def set_() -> None:
                libc.timerfd_settime(fd, 0, times, None)

        set_()
    except (ImportError, OSError, AttributeError):
        # No ctypes, no more descriptors, no such call.
        return None
    return _Timer(fd, set_)
