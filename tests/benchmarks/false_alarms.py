"""Half an hour of healthy load: what is found wrong, and how many signals are sent?

    python tests/benchmarks/false_alarms.py [--minutes 30] [--loop asyncio] [PYTHON ...]

An app that does a bit of everything, none of it wrong, is asked by keep-alive clients:
half of the time so that its loop is busy for 60 %, half of it as fast as it answers.
The goal is no finding and no signal, on a machine with nothing else to do: a loop that is
kept from the processor does stand still. At full speed the loop has no room left, and the
rule that says so (`overload`) is right: it is counted, and is no false alarm.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ending import carry_out, running
from stalls import free_port, serving_dashboard, version_of, wait_until_up

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 16
CALM = 0.6
LOOK_EVERY_S = 1.0

APP = r"""
import asyncio, sys, time
import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
import dashboard

app = FastAPI()
lock = asyncio.Lock()
seen = {}

class Order(BaseModel):
    number: int
    items: list[str]

@app.get("/hello")
async def hello():
    return {"hello": "world"}

@app.get("/wait")
async def wait():
    await asyncio.sleep(0.01)
    return "waited"

@app.get("/gathered")
async def gathered():
    await asyncio.gather(*(asyncio.sleep(0.005) for _ in range(3)))
    return "together"

@app.get("/thread")
def thread():
    time.sleep(0.003)
    return "from a thread"

@app.get("/order")
async def order():
    return [Order(number=n, items=["a", "b"]) for n in range(40)]

@app.get("/compute")
async def compute():
    return sum(n * n for n in range(20_000))

@app.get("/locked")
async def locked():
    async with lock:
        seen["count"] = seen.get("count", 0) + 1
    return seen["count"]

@app.get("/late")
async def late():
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        return "late"

@app.get("/group")
async def group():
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(asyncio.sleep(0.002))
    return "done"

@app.get("/stream")
async def stream():
    async def pieces():
        for _ in range(5):
            yield b"piece"
            await asyncio.sleep(0.001)
    return StreamingResponse(pieces())

@app.get("/after")
async def after(background: BackgroundTasks):
    background.add_task(asyncio.sleep, 0.005)
    return "now"

dashboard.observe(app)
uvicorn.run(app, port=int(sys.argv[1]), loop=sys.argv[2], log_level="warning",
            access_log=False, timeout_keep_alive=120)
"""
PATHS = (
    *("/hello", "/wait", "/gathered", "/thread", "/order", "/compute"),
    *("/locked", "/late", "/group", "/stream", "/after"),
)


@dataclass
class Phase:
    """One way to ask, and what was found meanwhile."""

    name: str
    seconds: float
    busy: float | None
    """How busy the loop is to be, or None for as busy as it gets."""
    requests: int = 0
    pause_s: float = 0.02
    busy_sum: float = 0.0
    looks: int = 0
    found: Counter[str] = field(default_factory=Counter)
    sentences: set[str] = field(default_factory=set)


def main() -> int:
    """Run it for each interpreter, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--loop", default="asyncio")
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    print(f"on a machine whose load was {os.getloadavg()[0]:.1f} before")
    print(
        f"{'':28} {'minutes':>8} {'requests':>9} {'busy':>6} {'signals':>8}  found wrong"
    )
    alarms = 0
    for python in options.pythons:
        alarms += measure(python, options.loop, options.minutes * 60)
    return int(alarms > 0)


def measure(python: str, loop: str, seconds: float) -> int:
    """Load one server in both ways; print a row for each; count false alarms."""
    alarms = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        script = Path(folder) / "shop.py"
        script.write_text(APP)
        env = os.environ | {"LOOPSCOPE_DIR": folder, "PYTHONPATH": str(ROOT)}
        port = free_port()
        server = [python, str(script), str(port), loop]
        with running(server, env=env):
            wait_until_up(port)
            with serving_dashboard(env) as page:
                for phase in (
                    Phase(f"{CALM:.0%} busy", seconds / 2, CALM),
                    Phase("full speed", seconds / 2, None),
                ):
                    known = {each["id"] for each in state_of(page)["findings"]}
                    asyncio.run(play(phase, port, page, known))
                    (observed,) = state_of(page)["loops"]
                    signals = observed["dumps"]["sent"]
                    wrong = ", ".join(
                        f"{rule} ×{count}" for rule, count in phase.found.items()
                    )
                    name = f"{version_of(python)} {loop}, {phase.name}"
                    print(
                        f"{name:28} {phase.seconds / 60:>8.1f} {phase.requests:>9} "
                        f"{phase.busy_sum / max(1, phase.looks):>6.0%} {signals:>8}  "
                        f"{wrong or 'nothing'}",
                        flush=True,
                    )
                    for sentence in sorted(phase.sentences):
                        print(f"    {sentence}")
                    if phase.busy is None:
                        del phase.found["overload"]
                    alarms += signals + phase.found.total()
    return alarms


def state_of(page: int) -> dict:
    """Return what the dashboard says now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{page}/api/state") as answer:
        return json.load(answer)


async def play(phase: Phase, port: int, page: int, known: set[int]) -> None:
    """Ask for so long, and look at the findings all the time."""
    end = time.monotonic() + phase.seconds
    async with asyncio.TaskGroup() as group:
        asking = [
            group.create_task(ask(phase, port, first)) for first in range(CLIENTS)
        ]
        while time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY_S)
            state = await asyncio.to_thread(state_of, page)
            (loop,) = state["loops"]
            note(phase, state["findings"], known, loop["utilisation"])
        for task in asking:
            task.cancel()


def note(phase: Phase, findings: list[dict], known: set[int], busy: float) -> None:
    """Count what is new, and mend the clients' pauses."""
    for each in findings:
        if each["id"] not in known:
            known.add(each["id"])
            phase.found[each["rule"]] += 1
            phase.sentences.add(each["sentence"])
    phase.busy_sum += busy
    phase.looks += 1
    if phase.busy is not None:
        # Slowly, and never to nothing: it is to hover, not to swing.
        phase.pause_s *= min(1.2, max(0.85, busy / phase.busy))


async def ask(phase: Phase, port: int, first: int) -> None:
    """Ask for one thing after the other on one connection."""
    number = first
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        while True:
            path = PATHS[number % len(PATHS)]
            number += 1
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await read_answer(reader)
            phase.requests += 1
            if phase.busy is not None:
                await asyncio.sleep(phase.pause_s)


async def read_answer(reader: asyncio.StreamReader) -> None:
    """Read one answer to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        while (size := int(await reader.readline(), 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))


if __name__ == "__main__":
    carry_out(main)
