"""What the kernel tells of an observed process: its state, its threads, its sockets.

Reads `/proc` and keeps nothing. What a system does not tell (macOS, another user's
process) is None or empty, never an error.
"""

from __future__ import annotations

import os
from typing import NamedTuple

#: A look at a table takes the kernel 1.5 ms, and a microsecond for each socket.
MAX_TABLE_BYTES = 4 << 20
ESTABLISHED, CLOSE_WAIT, LISTEN = "01", "08", "0A"


class ThreadLook(NamedTuple):
    """One thread at one moment."""

    state: str
    """`R` on a processor or wanting one, `S` asleep, `T` stopped, …"""
    switches: int
    """How often it went to sleep by itself."""
    cpu_ns: int
    """How long it has been on a processor."""
    turns: int
    """How often it was put on one."""
    caught: int
    """Signals that its process handles, one bit each."""
    held_back: int
    """Signals that it blocks, or that are on their way to it."""


def look_at_thread(pid: int, thread: int) -> ThreadLook | None:
    """Look at a thread of a process; None if that cannot be."""
    try:
        # First, so that `count_turns` can say if anything happened after it.
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            cpu_ns, _, turns = map(int, file.read().split())
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        masks = [int(status[name], 16) for name in ("SigBlk", "SigPnd", "ShdPnd")]
        return ThreadLook(
            status["State"].split()[0],
            int(status["voluntary_ctxt_switches"]),
            cpu_ns,
            turns,
            int(status["SigCgt"], 16),
            masks[0] | masks[1] | masks[2],
        )
    except (OSError, KeyError, ValueError, IndexError):
        return None


def count_turns(pid: int, thread: int) -> int:
    """Return how often a thread was put on a processor: a quicker look; -1 if unknown."""
    try:
        with open(f"/proc/{pid}/task/{thread}/schedstat", "rb", buffering=0) as file:
            return int(file.read(100).split()[2])
    except (OSError, ValueError, IndexError):
        return -1


def wait_of_thread(pid: int, thread: int) -> int:
    """Return for how many ns a thread has wanted a processor and had none; -1 if unknown.

    A wait counts when it is over. Waiting for the interpreter's lock is none.
    """
    try:
        with open(f"/proc/{pid}/task/{thread}/schedstat", "rb", buffering=0) as file:
            return int(file.read(100).split()[1])
    except (OSError, ValueError, IndexError):
        return -1


def cpu_of_threads(pid: int) -> dict[int, int]:
    """Return for how many ns each thread of a process has had or wanted a processor.

    On a machine with too much to do the second is most of it. A thread that waits for
    the interpreter's lock does neither.
    """
    found = {}
    try:
        with os.scandir(f"/proc/{pid}/task") as entries:
            for entry in entries:
                try:
                    with open(f"{entry.path}/schedstat") as file:
                        found[int(entry.name)] = sum(map(int, file.read().split()[:2]))
                except (OSError, ValueError, IndexError):
                    continue  # Ended meanwhile.
    except OSError:
        return {}
    return found


def is_stopped(pid: int) -> bool:
    """Say whether a process stands still: SIGSTOP, Ctrl-Z or a debugger."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False


def sockets_of(pid: int) -> frozenset[str]:
    """Return the kernel's numbers of the sockets that a process has open."""
    found = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                try:
                    target = os.readlink(entry.path)
                except OSError:
                    continue  # Closed meanwhile.
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    except OSError:
        return frozenset()
    return frozenset(found)


def doors_of(pid: int, sockets: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the ports on which a process listens, by the kernel's table of them."""
    doors = {}
    for table in ("tcp", "tcp6"):
        ports = frozenset(
            _port(row)
            for row in _rows(pid, table)
            if row[3] == LISTEN and row[9] in sockets
        )
        if ports:
            doors[table] = ports
    return doors


def count_arrived(
    pid: int, sockets: frozenset[str], doors: dict[str, frozenset[str]]
) -> int:
    """Count the connections whose bytes a process has not read yet, on its own ports.

    Those that it has not even accepted stand in a queue of their listening socket
    and belong to nobody. Each counts once: the kernel tells its table a page at a time,
    and of one in which others come and go meanwhile it may tell a row twice.
    """
    return len(
        {
            (row[1], row[2])
            for table, ports in doors.items()
            for row in _rows(pid, table)
            if row[3] in (ESTABLISHED, CLOSE_WAIT)
            and (row[9] in sockets or row[9] == "0")
            and _port(row) in ports
            and _unread(row) > (row[3] == CLOSE_WAIT)
        }
    )


def _rows(pid: int, table: str) -> list[list[str]]:
    """Return the sockets of a process's network, as lists of columns."""
    try:
        # Through the process, which may have a network of its own.
        with open(f"/proc/{pid}/net/{table}") as file:
            lines = file.read(MAX_TABLE_BYTES).splitlines()[1:]
    except OSError:
        return []
    return [row for line in lines if len(row := line.split()) >= 10]


def _port(row: list[str]) -> str:
    return row[1].rpartition(":")[2]


def _unread(row: list[str]) -> int:
    # The other side's goodbye counts as one byte, too.
    try:
        return int(row[4].partition(":")[2], 16)
    except ValueError:
        return 0
