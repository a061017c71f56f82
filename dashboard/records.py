"""The vocabulary of recorder and reader: what one record says, to the byte.

This module does nothing. It is the contract of `recorder/` (which writes) and
`server/reading/read.py` (which reads); a stranger could write a second reader from it.

A record is 32 bytes, little endian, `RECORD`:

| field | type | meaning |
| --- | --- | --- |
| `t` | int64 | ns on the monotonic clock; for what lasts, its beginning |
| `u` | int64 | ns on the same clock (its end), or as the kind says |
| `a` | uint32 | mostly: the task's number |
| `b` | uint32 | as the kind says |
| `tag` | uint64 | `lap << 8 | kind`; written last, so it commits the record |

Slots are written in order; `lap` counts how often the writer has come round,
from 1. A reader that knows which lap it expects in which slot needs no lock: an
older lap means *not yet written*, a newer one *lapped*, zero *being written*.

**Order.** The loop's thread writes a step when it *ends*. What happened during
the step (wakes, births) stands before it in the ring and inside it in time.
Other threads (worker threads, the watchdog) write between these at any point.

**Numbers.** Tasks count from 1 within one ring, requests, thread calls and
threads within one process (contexts and threads serve several loops); none is
ever reused. An *owner* says who ran at that moment: a task's number; or
minus a callback, which is `task << 27 | origin << 24 | string index` (the task or
`Origin` at the root of it, as far as known); or 0 for nobody: the loop itself, which
on uvloop means a socket or pipe.

**Strings** are indices in the ring's string table (0 = no string; the table is
append-only and bounded). Several fields in one string are separated by `\\x1f`.
"""

from __future__ import annotations

import struct
from enum import IntEnum

#: Raise this when any byte of a ring file changes its meaning.
FORMAT_VERSION = 3

RECORD = struct.Struct("<qqIIQ")
RECORD_BYTES = RECORD.size
LAP_SHIFT = 8
KIND_MASK = (1 << LAP_SHIFT) - 1
FIELD_SEPARATOR = "\x1f"
OWNER_NAME_BITS = 24
OWNER_ORIGIN_BITS = 3
OWNER_NAME_MASK = (1 << OWNER_NAME_BITS) - 1


#: In a REQUEST's `u`: it stays open for messages of both sides.
FROM_WEBSOCKET = 2


class Kind(IntEnum):
    """What a record says. Append only; numbers are never reused."""

    BORN = 1
    """Task `a` was created: `b` = name, `u` = request << 32 | owner & 0xffffffff."""
    WAKE = 2
    """Task `a` was handed to the loop by owner `u`: it is ready since `t`."""
    STEP_WAITING = 3
    """Task `a` ran from `t` to `u` and now waits."""
    STEP_READY = 4
    """Task `a` ran from `t` to `u` and is ready again: it handed itself back to the
    loop, without a WAKE."""
    STEP_DONE = 5
    """Task `a` ran from `t` to `u` and returned."""
    STEP_RAISED = 6
    """Task `a` ran from `t` to `u` and ended with an exception."""
    STEP_CANCELLED = 7
    """Task `a` ran from `t` to `u` and ended cancelled."""
    CALL = 8
    """A callback that is no task ran from `t` to `u`: `a` = name, `b` = request."""
    POLL = 9
    """The loop sat in select from `t` to `u`: `a` = ready sockets, `b` = ready handles
    when it began."""
    DUE = 10
    """The CALL that follows is a timer's whose deadline was `u`; it began at `t`.
    Written only when the lateness is worth a record."""
    REASON = 11
    """Task `a` waits for `b` = reason, file, line, function; `u` = its timer's
    deadline or 0. Looked up at `t`, while it waited."""
    REQUEST = 12
    """Request `a` began in task `b`. `u` = 1 if this is that task's first step: the
    task was made for this request, which then counts from the task's birth; plus
    FROM_WEBSOCKET."""
    REQUEST_NAME = 13
    """Request `a`, still under way, is `b` = method, route (a template, not a URL)."""
    REQUEST_TRACE = 14
    """Request `a` carried a traceparent: `u` = its parent span id, `t` = the lower
    half of its trace id, both as signed 64-bit numbers. Has no time of its own and
    stands before its REQUEST."""
    RESPONSE = 15
    """Request `a` handed over a piece, not the last, of its answer: `u` = status.
    Of a WebSocket: it is accepted."""
    ANSWERED = 16
    """Request `a` handed over the last byte of its answer at `t`; `u` = status, or 0
    when it ended without one; `b` = method, route."""
    REQUEST_END = 17
    """Request `a` left the app (background tasks included) at `t`. Not written when
    its task was made for it: then that task's end is the request's, answered or not."""
    ADOPTED = 18
    """Task `a` existed before recording began: `b` = name, `u` = 0 if it was
    waiting, 1 if ready, 2 if it was the one that ran."""
    GONE = 19
    """Task `a` was destroyed while it was pending."""
    THREAD_QUEUED = 20
    """Task `b` asked for a function to run in a worker thread: call `a`. `u` = name |
    `Door` << 32 | the string index of the reason, where it is hidden, << 40."""
    THREAD_BEGIN = 21
    """Thread call `a` began in thread number `b`."""
    THREAD_END = 22
    """Thread call `a` ended in thread number `b`."""
    SAMPLE = 23
    """The step that began at `u` was still running at `t`, at `a` = file, line,
    function, or 0: in a builtin that no Python code called. `b` = how many frames of
    other people's code were above it."""
    PROCESS_CALL = 24
    """Task `b` asked for function `u` to run in a process pool: call `a`."""
    FRAME = 25
    """One line of the stack of the SAMPLE that follows, innermost first: `a` = file,
    line, function; `b` = 1 for the user's own code; `u` = when the step began."""
    THREAD_DROPPED = 26
    """Nobody waits for thread call `a` any more. If it has not begun it never will."""
    PROCESS_END = 27
    """The result of process call `a` is there, or it was cancelled (`b` = 1)."""
    LIVES = 28
    """Task `a`, older than this lap of the ring, lives: `b` = name, `u` = request << 32
    | what it does, as ADOPTED says."""
    LIVES_ALL = 29
    """Every task that was older at `u` and lives has had its LIVES between `u` and
    `t`: `a` = how many."""
    PAUSE = 30
    """The garbage collector had the interpreter from `t` to `u`: `a` = generation,
    `b` = 1 if in the loop's thread. Written only when it lasted."""
    EXCEPTION = 31
    """The loop's exception handler was told: `b` = message, type, file, line,
    function of where it was raised; `a` = task or 0."""
    EAGER = 33
    """Task `a` ran its first step from `t` to `u` inside its creator's: `b` = 1 if it
    ended in it. Its BORN stands before, what it did in between stands between."""
    DETAIL = 35
    """Of the wait of task `a` whose REASON follows: `b` = which `Detail`, `u` = its
    value. What varies from wait to wait is a number here, as strings are few."""
    MARK = 36
    """The program says at `t` that something happened: `b` = what, `a` = the task that
    said so, or 0."""
    SPAWNED = 37
    """Task `a`, which works for no request, was made by another task, at the line `b` =
    file, line, function: the innermost of the user's code. Stands after its BORN."""
    PHASE = 38
    """Request `a` was in a phase of FastAPI's from `u` to `t`, where it is told: `b` =
    dependencies, endpoint, serialization or background_task; its function."""
    NAMED = 39
    """Task `a` has the name `b`, which the program gave it."""


class Origin(IntEnum):
    """What made the loop run a callback, where it was no task."""

    TIMER = 1
    SOCKET = 2
    THREAD = 3
    """Another thread's `call_soon_threadsafe`."""
    SIGNAL = 4


class Detail(IntEnum):
    """What a DETAIL tells of a wait, and so what its `u` is."""

    SECONDS = 1
    """How long it sleeps, in ns; -1 = for ever."""
    FILL = 2
    """How full it is, as taken << 32 | size."""
    COUNT = 3
    """How many it waits for."""
    TEXT = 4
    """A string: a host, an address, a command."""
    PEER = 5
    """The other end's address: IPv4 << 16 | port."""
    PID = 6
    """A process."""
    TASK = 7
    """The task that it waits for."""
    HOLDER = 8
    """The task that holds the lock."""
    TIMEOUT = 9
    """It waits so many ns at most."""


class Door(IntEnum):
    """Which way a function went to a worker thread."""

    TOKEN = 0
    """anyio, with one of the loop's tokens (40 by default)."""
    LIMITER = 1
    """anyio, with a limiter of its own."""
    EXECUTOR = 2
    """An executor of the standard library."""


class RingState(IntEnum):
    """What the writer last said about itself, in the header's `STATE` cell."""

    RECORDING = 1
    STOPPED = 2
    """Removed on purpose; the app may go on."""
    FAILED = 3
    """A hook failed and recording switched itself off; the `NOTE` cell says why."""


class Cell(IntEnum):
    """The header's live numbers, one int64 each, in this order."""

    STATE = 0
    OWNER = 1
    """Who runs now: an owner as above; 0 while the loop polls."""
    SINCE = 2
    """When that step began; 0 = at the end of the last record."""
    BEAT = 3
    """When the watchdog thread last got the interpreter's lock, or the loop came by."""
    STRINGS = 4
    """Bytes of the string table in use. Raised after the string is complete."""
    COST_PS = 5
    """Calibrated cost of one record on this machine, in picoseconds."""
    DROPPED = 6
    """Records that the writer itself had to drop."""
    NOTE = 7
    """String index of a sentence about a failure, or 0."""
    SAMPLE_NS = 8
    """A step longer than this is sampled by the watchdog."""
    DUMP_SIGNAL = 9
    """The signal at which the thread that gets it writes its stack to the file of the
    ring's name and the suffix `.dump`; 0 = none; below 0 = none, and minus the string
    index of the reason."""
    LOOP_THREAD = 10
    """The system's number of the thread that runs the loop; 0 = not known."""
    WATCHDOG_THREAD = 11
    """The system's number of the thread that beats."""
    TOKENS = 12
    """How many functions anyio lets run in threads at once on this loop; 0 = unknown."""
    TOKENS_BORROWED = 13
    """How many of them are taken."""
    TOKENS_WAITING = 14
    """How many tasks wait for one."""
