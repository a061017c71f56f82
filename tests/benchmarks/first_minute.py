"""The first minute of somebody new, in numbers: start, press, block, look, leave.

    python tests/benchmarks/first_minute.py [--rounds 3]

Real processes, started by the command; a viewer reads the stream as a browser does.
Printed for each round:

up      seconds until the page and the demo app answer
pile    twenty slow requests, a hundred fast ones while they wait: how many of the 120 are
        told, and how far the parts of any are from its total, ms (goal: all; 1)
block   two seconds, 140 requests sent meanwhile: the longest time between two frames, ms
        (goal 100); when the page had `blocked`, and the line, ms after it began; how many
        of the 140 it showed at the door before the block was over; how often a fast one
        ended before its neighbour that was sent earlier (a connection that is new is
        accepted in one round and read in the next, one that is kept open is read at once)
leave   Ctrl-C with three viewers: seconds until both processes are gone, exit code, ports
        that still answer, lines on the terminal that a shell would not want (goal: under
        1 s, 0 or 130, none, none)

And once: how long `--help` and `--version` take (goal 0.2 s).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from ending import carry_out, running
from stalls import Viewer, wait_until_up

ROOT = Path(__file__).resolve().parents[2]
BLOCK_S = 2.0
PATIENCE_S = 60
PARTS = ("outside", "running", "ready", "waiting", "thread_queue", "thread", "process")
COMMAND = [sys.executable, "-m", "dashboard"]
FIGURES = (
    ("up, s", 6),
    ("told", 8),
    ("off by, ms", 11),
    ("gap, ms", 8),
    ("blocked, ms", 12),
    ("line, ms", 9),
    ("at the door", 12),
    ("swapped", 8),
    ("gone, s", 8),
    ("code", 5),
    ("ports", 6),
    ("words", 6),
)


def main() -> int:
    """Print a row for each round, then how long the short commands take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print("  ".join(f"{name:>{width}}" for name, width in FIGURES))
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            cells = zip(first_minute(Path(folder)), FIGURES, strict=True)
            print(
                "  ".join(f"{text:>{width}}" for text, (_, width) in cells), flush=True
            )
    for flag in ("--help", "--version"):
        print(f"{flag}: {min(time_of(flag) for _ in range(5)):.3f} s")
    return 0


def first_minute(folder: Path) -> list[str]:
    """Do it all once, and return the cells of its row."""
    errors = folder / "errors"
    began = time.monotonic()
    environment = os.environ | {
        "LOOPSCOPE_DIR": str(folder / "rings"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
    }
    with (
        errors.open("w") as stderr,
        running(
            [*COMMAND, "--port", "0", "--demo-port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        ports = [
            int(re.search(r"http://\S+:(\d+)", process.stdout.readline())[1])
            for _ in ("the page", "the demo app")
        ]
        for port in ports:
            wait_until_up(port)
        page = f"http://127.0.0.1:{ports[0]}"
        while not ask(f"{page}/api/state")["loops"]:
            time.sleep(0.05)
        up_s = time.monotonic() - began
        viewers = [Viewer(ports[0]) for _ in range(3)]
        for viewer in viewers:
            viewer.start()
        while not all(viewer.frames for viewer in viewers):
            time.sleep(0.05)

        # What a framework does for the first time is nobody's lesson.
        press(page, "fast")
        finished(viewers[0], 1)
        pile = pile_up(page, viewers[0])
        block = block_loop(page, viewers[0])
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.wait(PATIENCE_S)
        gone_s = time.monotonic() - began
        open_ports = sum(is_open(port) for port in ports)
        words = len(errors.read_text().splitlines())
        leave = [f"{gone_s:.2f}", str(process.returncode), str(open_ports), str(words)]
        return [f"{up_s:.1f}", *pile, *block, *leave]


def pile_up(page: str, viewer: Viewer) -> list[str]:
    """Send a hundred fast requests while twenty slow ones wait."""
    before = requests_told(viewer)
    press(page, "slow", 20, seconds=2)
    press(page, "fast", 100)
    told = finished(viewer, before + 120)[-120:]
    routes = [request["route"] for request in told]
    assert (routes.count("/slow"), routes.count("/fast")) == (20, 100)
    off_ms = max(
        abs(request["total_ms"] - sum(request["split"][f"{part}_ms"] for part in PARTS))
        for request in told
    )
    return [f"{len(told)}/120", f"{off_ms:.3f}"]


def block_loop(page: str, viewer: Viewer) -> list[str]:
    """Block the loop, press on, and look at what was shown meanwhile."""
    before = requests_told(viewer)
    first = len(viewer.frames)
    press(page, "blocking", seconds=BLOCK_S)
    while viewer.frames[-1][1]["loops"][0]["state"] not in ("running", "blocked"):
        time.sleep(0.01)
    press(page, "slow", 20)
    press(page, "fast", 100)
    press(page, "fast", 20)
    told = finished(viewer, before + 141)[-141:]

    frames = viewer.frames[first:]
    (stall,) = {
        stall["id"]: stall for _, frame in frames for stall in frame["stalls"]
    }.values()
    last_ms = stall["duration_ms"]
    # The session's clock and ours differ by a constant: frames bear both.
    offset_ns = min(at - frame["t_ns"] for at, frame in frames)
    began_ns = stall["start_ns"] + offset_ns
    during = [
        (at, frame)
        for at, frame in frames
        if began_ns <= at <= began_ns + last_ms * 1e6
    ]
    times = [at for at, _ in during]
    gap_ms = max(b - a for a, b in itertools.pairwise(times)) / 1e6
    blocked = [
        (at, frame["loops"][0])
        for at, frame in during
        if frame["loops"][0]["state"] == "blocked"
    ]
    blocked_ms = (blocked[0][0] - began_ns) / 1e6
    named = [at for at, loop in blocked if loop["culprit"]]
    line_ms = (named[0] - began_ns) / 1e6
    door = max(frame["counts"]["open"] for _, frame in during) - 1
    fast = [request for request in told if request["route"] == "/fast"]
    fast.sort(key=lambda request: request["end_ns"])
    starts = [request["start_ns"] for request in fast]
    return [
        f"{gap_ms:.0f}",
        f"{blocked_ms:.0f}",
        f"{line_ms:.0f}",
        f"{door}/140",
        f"{sum(a > b for a, b in itertools.pairwise(starts))}",
    ]


def press(page: str, scenario: str, count: int = 1, **params: float) -> None:
    """Press a button."""
    order = urllib.request.Request(
        f"{page}/api/trigger/{scenario}",
        json.dumps({"count": count, "params": params}).encode(),
    )
    with urllib.request.urlopen(order, timeout=20):
        pass


def requests_told(viewer: Viewer) -> int:
    """Return how many finished requests the viewer was told of."""
    return sum(len(frame["requests"]) for _, frame in list(viewer.frames))


def finished(viewer: Viewer, count: int) -> list[dict]:
    """Wait until the viewer was told of so many, and return them."""
    deadline = time.monotonic() + PATIENCE_S
    while requests_told(viewer) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"{requests_told(viewer)} of {count} requests were told")
        time.sleep(0.02)
    frames = list(viewer.frames)
    return [request for _, frame in frames for request in frame["requests"]][:count]


def ask(url: str) -> dict:
    """Return an answer's JSON."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def is_open(port: int) -> bool:
    """Say whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def time_of(flag: str) -> float:
    """Return how long the command takes with a flag that only prints, in seconds."""
    began = time.monotonic()
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*COMMAND, flag], env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


if __name__ == "__main__":
    carry_out(main)
