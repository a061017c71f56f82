"""Block a real server in four ways, again and again, and compare what a viewer is told.

    python tests/benchmarks/stalls.py [--runs 20] [--loops 'asyncio uvloop']
        [--threads 'main other'] [PYTHON ...]

Each PYTHON (default: this one) serves an app with uvicorn, its loop in the main thread
and in another one; one dashboard watches, one viewer takes its frames. The handlers
themselves say when they began and ended, and what is around the app when the step did
that they are in: it has some work of its own. Printed for each kind of block:

right   how often the line was the right one, in the end and while it lasted
named   how long after the threshold the viewer had the line, the median and the worst
        (goal 300 ms)
gap     the longest time between two frames while the loop was blocked (goal 100 ms)
error   how far the told duration was from the step's, at worst (goal 5 ms)
dumps   signals sent, for all runs
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ending import carry_out, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
THRESHOLD_S = 0.1
BLOCK_S = 0.7
PATIENCE_S = 5.0
KINDS = ("sleep", "python", "held", "regex")

APP = r"""
import json, re, sys, threading, time
import uvicorn
from fastapi import FastAPI
import dashboard

app = FastAPI()

def calibrate(call, size, grow):
    while True:
        # Not the clock on the wall: on a busy machine it runs faster.
        began = time.thread_time()
        call(size)
        if time.thread_time() - began >= SECONDS * 0.7:
            return size
        size = grow(size)

SECONDS = float(sys.argv[3])
N = calibrate(lambda n: sum(range(n)), 1_000_000, lambda n: n * 3 // 2)
R = calibrate(lambda n: re.match(r"(a+)+$", "a" * n + "b"), 16, lambda n: n + 1)

@app.get("/sleep")
async def sleep(warm: bool = False):
    if warm:
        return []
    began = time.monotonic_ns()
    time.sleep(SECONDS)  # sleep
    return [began, time.monotonic_ns()]

@app.get("/python")
async def python(warm: bool = False):
    if warm:
        return []
    began, count = time.monotonic_ns(), 0
    while time.monotonic_ns() < began + SECONDS * 1e9:  # python
        count += 1  # python
    return [began, time.monotonic_ns()]

@app.get("/held")
async def held(warm: bool = False):
    if warm:
        return []
    began = time.monotonic_ns()
    sum(range(N))  # held
    return [began, time.monotonic_ns()]

@app.get("/regex")
async def regex(warm: bool = False):
    if warm:
        return []
    began = time.monotonic_ns()
    re.match(r"(a+)+$", "a" * R + "b")  # regex
    return [began, time.monotonic_ns()]

@app.get("/last")
async def last():
    return step

async def timed(scope, receive, send):
    began = time.monotonic_ns()
    await app(scope, receive, send)
    if scope["type"] == "http" and scope["path"] != "/last":
        step[:] = began, time.monotonic_ns()

step = []
dashboard.observe(app)
config = uvicorn.Config(timed, port=int(sys.argv[1]), loop=sys.argv[2], log_level="warning")
serve = uvicorn.Server(config).run
if sys.argv[4] == "main":
    serve()
else:
    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
"""


@dataclass
class Viewer:
    """A stream of frames, each with the moment when it came."""

    port: int
    frames: list[tuple[int, dict]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to read, in a thread."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        url = f"http://127.0.0.1:{self.port}/events"
        with urllib.request.urlopen(url) as stream:
            event = ""
            for raw in stream:
                line = raw.decode()
                if line.startswith("event: "):
                    event = line[7:].strip()
                elif line.startswith("data: ") and event == "frame":
                    self.frames.append((time.monotonic_ns(), json.loads(line[6:])))

    def stall_after(self, number: int) -> dict | None:
        """Return the last word on the first stall after that one, once it is over."""
        return next(
            (
                stall
                for _, frame in reversed(self.frames)
                for stall in frame["stalls"]
                if stall["over"] and stall["id"] > number
            ),
            None,
        )

    def last_stall(self) -> int:
        """Return the number of the last stall."""
        return max((s["id"] for _, f in self.frames for s in f["stalls"]), default=0)


@dataclass
class Result:
    """What one kind of block came to."""

    runs: int = 0
    right: int = 0
    right_live: int = 0
    named_ms: list[float] = field(default_factory=list)
    gap_ms: float = 0.0
    error_ms: float = 0.0


def main() -> int:
    """Run everything, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--loops", type=str.split, default=["asyncio", "uvloop"])
    parser.add_argument("--threads", type=str.split, default=["main", "other"])
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    print(
        f"{'':40} {'right':>12} {'named, ms':>12} {'gap, ms':>8} {'error, ms':>10} {'dumps':>6}"
    )
    all_right = True
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        script = Path(folder) / "shop.py"
        script.write_text(APP)
        env = os.environ | {"LOOPSCOPE_DIR": folder, "PYTHONPATH": str(ROOT)}
        with serving_dashboard(env) as port:
            viewer = Viewer(port)
            viewer.start()
            for python in options.pythons:
                for loop in options.loops:
                    for thread in options.threads:
                        name = f"{version_of(python)} {loop} {thread} thread"
                        command = [python, str(script), loop, thread]
                        all_right &= measure(name, command, env, viewer, options.runs)
    return int(not all_right)


def measure(
    name: str, command: list[str], env: dict[str, str], viewer: Viewer, runs: int
) -> bool:
    """Block one server in each way, `runs` times; print a row for each."""
    python, script, loop, thread = command
    port = free_port()
    server = [python, script, str(port), loop, str(BLOCK_S), thread]
    all_right = True
    with running(server, env=env):
        wait_until_up(port)
        for kind in KINDS:
            result = Result()
            # What the framework does for the first time is not to blame.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{kind}?warm=1"):
                pass
            sent_before = dumps_sent(viewer)
            for _ in range(runs):
                block(kind, port, Path(script), viewer, result)
            dumps = dumps_sent(viewer) - sent_before
            all_right &= result.right == result.right_live == runs
            named = sorted(result.named_ms) or [float("nan")]
            print(
                f"{name + ', ' + kind:40} {result.right:>3}, {result.right_live:>3}/{runs:<3} "
                f"{statistics.median(named):>5.0f}, {named[-1]:>5.0f} {result.gap_ms:>8.0f} "
                f"{result.error_ms:>10.1f} {dumps:>6}",
                flush=True,
            )
    return all_right


def block(kind: str, port: int, script: Path, viewer: Viewer, result: Result) -> None:
    """Send one request that blocks, and compare."""
    lines = {
        number
        for number, line in enumerate(script.read_text().splitlines(), 1)
        if line.endswith(f"# {kind}")
    }
    first = max(0, len(viewer.frames) - 2)
    known = viewer.last_stall()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{kind}") as answer:
        began_ns, ended_ns = json.load(answer)
    end = time.monotonic() + PATIENCE_S
    while (told := viewer.stall_after(known)) is None and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.1)
    frames = viewer.frames[first:]
    result.runs += 1
    named = [
        t for t, frame in frames if t < ended_ns and is_named(frame, script, lines)
    ]
    if named:
        result.right_live += 1
        result.named_ms.append((named[0] - began_ns) / 1e6 - THRESHOLD_S * 1e3)
    told = viewer.stall_after(known)
    if told is not None and told["culprit"] is not None:
        culprit = told["culprit"]
        result.right += culprit["file"] == str(script) and culprit["line"] in lines
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/last") as answer:
            step_began_ns, step_ended_ns = json.load(answer)
        error_ms = told["duration_ms"] - (step_ended_ns - step_began_ns) / 1e6
        result.error_ms = max(result.error_ms, abs(error_ms))
    times = [t for t, _ in frames if began_ns <= t <= ended_ns]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    result.gap_ms = max([result.gap_ms, *(gap / 1e6 for gap in gaps)])


def is_named(frame: dict, script: Path, lines: set[int]) -> bool:
    """Say whether a frame shows a blocked loop and the line to blame."""
    return any(
        loop["state"] == "blocked"
        and loop["culprit"] is not None
        and loop["culprit"]["file"] == str(script)
        and loop["culprit"]["line"] in lines
        for loop in frame["loops"]
    )


def dumps_sent(viewer: Viewer) -> int:
    """Return how many signals were sent to the loops that live."""
    loops = viewer.frames[-1][1]["loops"]
    return sum(loop["dumps"]["sent"] for loop in loops if loop["state"] != "ended")


@contextlib.contextmanager
def serving_dashboard(env: dict[str, str]) -> Iterator[int]:
    """Give the port of a dashboard process that lives as long as the block."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", "watch", "--port", str(port)]
    with running(command, env=env, stdout=subprocess.DEVNULL):
        wait_until_up(port)
        # It takes connections before it answers.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz"):
            pass
        yield port


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(port: int) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on port {port}")


def version_of(python: str) -> str:
    """Return an interpreter's version."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    carry_out(main)
