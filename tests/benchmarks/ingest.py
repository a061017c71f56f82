"""Print how many records a second the dashboard process follows, and what it loses.

    python tests/benchmarks/ingest.py [records/s ...]

Another process writes a ring as a recorded loop would, at a given rate; this one
does what the dashboard does: read, model, journal, and 30 frames a second encoded
for one viewer. Two kinds of program: a hundred tasks that do nothing but `sleep(0)`
(two records a step, all a loop can write), and requests of a handler that sleeps.
*Core* is the share of one core that following took. The first line of each is the
limit: the same records from memory, as fast as they can be followed.
"""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ending import carry_out, running

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Kind
from dashboard.ring import Identity, create_ring
from dashboard.server.dashboard import GC_THRESHOLDS
from dashboard.server.reading.read import Follower
from dashboard.server.session import Session
from dashboard.server.streaming import wire
from dashboard.server.streaming.stream import Stream

SECONDS = 3
FRAME_S = 1 / wire.FRAME_HZ
RATES = (200_000, 400_000, 600_000, 800_000)
STEP_NS = 1_000


def write_steps(intern):
    """Yield the records of a hundred tasks in `sleep(0)`, for ever; `t` from 0."""
    name = intern(FIELD_SEPARATOR.join(("main.<locals>.worker", "/srv/app.py", "9")))
    for no in range(1, 101):
        yield Kind.BORN, no, 0, no, name
    t = 1_000
    while True:
        for no in range(1, 101):
            yield Kind.WAKE, t + STEP_NS // 2, no, no, 0
            yield Kind.STEP_READY, t, t + STEP_NS, no, 0
            t += STEP_NS


def write_requests(intern):
    """Yield the records of requests, 50 at once, whose handler sleeps once."""
    task = intern("RequestResponseCycle.run_asgi")
    route = intern(FIELD_SEPARATOR.join(("GET", "/items/{item}")))
    reason = intern(FIELD_SEPARATOR.join(("sleep", "/srv/app.py", "12", "item")))
    read, timer = intern("_SelectorSocketTransport._read_ready"), intern("set_result")
    t = 1_000
    for first in itertools.count(1, 50):
        numbers = range(first, first + 50)
        for no in numbers:
            yield Kind.BORN, t + 20_000, 0, no, task
            yield Kind.CALL, t, t + 40_000, read, 0
            t += 40_000
        for no in numbers:
            yield Kind.REQUEST, t + 5_000, 1, no, no
            yield Kind.STEP_WAITING, t, t + 60_000, no, 0
            t += 60_000
        yield Kind.POLL, t, t + 1_000_000, 0, 0
        t += 1_000_000
        for no in numbers:
            yield Kind.REASON, t + 2_000, t - 100_000, no, reason
            yield Kind.WAKE, t + 3_000, -timer, no, 0
            yield Kind.CALL, t, t + 5_000, timer, no
            t += 5_000
        for no in numbers:
            yield Kind.ANSWERED, t + 30_000, 200, no, route
            yield Kind.STEP_DONE, t, t + 50_000, no, 0
            t += 50_000


PROGRAMS = {"sleep(0) steps": write_steps, "requests": write_requests}
#: Kinds whose `u` is a time.
LASTING = {
    Kind.STEP_WAITING,
    Kind.STEP_READY,
    Kind.STEP_DONE,
    Kind.CALL,
    Kind.POLL,
}


def write(program: str, rate: int) -> None:
    """Be the observed process: write a ring at a rate, all of it made beforehand.

    Times are those of the writing, so that a frame holds as much as it would.
    """
    ring = create_ring(kind="asyncio", title="ingest", loop_no=1)
    records = PROGRAMS[program](ring.intern)
    total = rate * SECONDS
    told = list(itertools.islice(records, total))
    scale = SECONDS * 1e9 / told[-1][1]
    time.sleep(1)  # until it is found, and long enough to have begun from the start
    began, write_one = time.monotonic_ns(), ring.write
    part = max(1, rate // 1000)
    for at in range(0, total, part):
        while time.monotonic_ns() - began < at * 1e9 / rate:
            time.sleep(0.0002)
        for kind, t, u, a, b in told[at : at + part]:
            end = began + int(u * scale) if kind in LASTING else u
            write_one(kind, began + int(t * scale), end, a, b)
    print(f"{(time.monotonic_ns() - began) / 1e9:.3f}", flush=True)
    time.sleep(1.5)


def follow(directory: Path, program: str, rate: int) -> str:
    """Follow what another process writes; return a line of the table."""
    now_ns = time.monotonic_ns
    session = Session(origin_ns=now_ns())
    follower = Follower(lambda: set(directory.glob("*.ring")), session)
    stream = Stream(session, now_ns=now_ns, notices=list, demo_url=lambda: None)
    command = [sys.executable, __file__, "--write", program, str(rate)]
    environment = os.environ | {"LOOPSCOPE_DIR": str(directory)}
    with running(command, env=environment, stdout=subprocess.PIPE) as writer:
        used = time.process_time()
        next_frame = time.monotonic()
        worst = 0.0
        while writer.poll() is None:
            more = follower.poll()
            late = time.monotonic() - next_frame
            if late >= 0:
                worst = max(worst, late)
                next_frame = time.monotonic() + FRAME_S
                stream.publish()
            if not more:
                time.sleep(max(0.0, next_frame - time.monotonic()))
        used = time.process_time() - used
        (loop,) = session.loops.values()
        took = float(writer.stdout.read())
    follower.close()
    wrote = rate * SECONDS
    return (
        f"{program:15} {wrote / took:9,.0f} {loop.model.records:11,} "
        f"{loop.missed:9,} {used / took:6.0%} {worst * 1000:9.0f}"
    )


def follow_from_memory(program: str, count: int) -> str:
    """Follow the same records without a ring; return a line of the table."""
    session = Session(origin_ns=0)
    loop = session.add_loop(Identity(1, 1, 0, 0, 0, "asyncio", "3.11", "memory"))
    stream = Stream(session, now_ns=lambda: now, notices=list, demo_url=lambda: None)
    strings = loop.model.names.strings

    def intern(text: str) -> int:
        strings.append(text)
        return len(strings) - 1

    tag = 1 << LAP_SHIFT
    records = itertools.islice(PROGRAMS[program](intern), count)
    chunks = []
    while chunk := list(itertools.islice(records, 4096)):
        data = b"".join(
            RECORD.pack(t, u, a, b, tag + kind) for kind, t, u, a, b in chunk
        )
        chunks.append((data, chunk[-1][1]))
    used = time.process_time()
    next_frame = 0.0
    now = 0
    for data, at in chunks:
        now = at
        loop.model.feed(data)
        # As many frames as there would be at this rate of following.
        if time.process_time() - used >= next_frame:
            next_frame += FRAME_S
            stream.publish()
    took = time.process_time() - used
    return f"{program:15} {count / took:9,.0f} {count:11,} {'':9} {'100%':>6}   limit"


def main() -> None:
    """Print the table, or be the writer."""
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], int(sys.argv[3]))
        return
    gc.set_threshold(*GC_THRESHOLDS)
    rates = [int(rate) for rate in sys.argv[1:]] or RATES
    print(f"{'':15} records/s    followed      lost   core  frame late, ms")
    for program in PROGRAMS:
        print(follow_from_memory(program, 1_500_000))
        for rate in rates:
            with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
                print(follow(Path(directory), program, rate), flush=True)


if __name__ == "__main__":
    carry_out(main)
