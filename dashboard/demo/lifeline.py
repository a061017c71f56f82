"""End a process together with the one that started it; standard library only."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
LOOK_EVERY_S = 1.0


def end_with_parent() -> None:
    """End this process as soon as its parent is gone.

    Linux can send a signal that needs no Python at all; it is sent when the
    *thread* ends that started us, so start children from one that stays.
    Elsewhere a thread looks whether we have been given to another parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_look, args=[os.getppid()], daemon=True).start()


def end_with_stdin() -> None:
    """End this process as soon as nobody holds the other end of its stdin.

    Beside `end_with_parent`, as each has a hole: a signal cannot be asked for
    before we run, and a thread cannot run while C code holds the interpreter's
    lock.
    """
    threading.Thread(target=_exit_at_end_of_stdin, daemon=True).start()


def end_quietly() -> None:
    """Keep Python's own helper process from warning when we are ended by force.

    It is told by the flags that this process was started with.
    """
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
    os._exit(0)


def _exit_at_end_of_stdin() -> None:
    while os.read(0, 1024):
        pass
    # Nobody is left to be told, and a blocked loop could not shut down anyway.
    os._exit(0)
