"""Fifty stalls in a row under overlapping load: do the victims' delays add up?

    python tests/benchmarks/victims.py [--stalls 50] [--fast 200] [--loops 'asyncio uvloop'] [PYTHON ...]

Clients of another process, whom nobody announces to the dashboard, send blocking
requests all at once and others meanwhile, over new and kept-alive connections, and
measure from when the kernel had their bytes to when the answer was there. Each
blocking handler says by the same clock from when to when it blocked. What the stalls
say that they delayed must be what the clients waited while a handler blocked, each
blocking one's own time left out. The rest of their waiting is told beside it: the time
in which nobody blocked, and the loop did its other work or wanted a processor. No
stall is to blame for that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from ending import carry_out, running
from stalls import free_port, serving_dashboard, version_of, wait_until_up

ROOT = Path(__file__).resolve().parents[2]
BLOCK_S = 0.15
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

APP = r"""
import sys, time
import uvicorn
from fastapi import FastAPI
import dashboard

app = FastAPI()

@app.get("/fast")
async def fast():
    return {}

@app.get("/block")
async def block():
    began = time.monotonic_ns()
    time.sleep(float(sys.argv[3]))
    return began, time.monotonic_ns()

dashboard.observe(app)
config = uvicorn.Config(app, port=int(sys.argv[1]), loop=sys.argv[2],
                        log_level="warning", timeout_keep_alive=3600, backlog=2048)
uvicorn.Server(config).run()
"""


class Clients:
    """Requests under way, all in one thread, and when each of them was."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.spans: list[tuple[int, int]] = []
        """When each request was with the kernel and when its answer was there, in ns."""
        self.blocks: list[tuple[int, int]] = []
        """When each blocking handler blocked, by its own clock, which is ours."""

    async def connect(self) -> Connection:
        """Return a connection that has served once, and is kept alive."""
        connection = await asyncio.open_connection("127.0.0.1", self.port)
        await ask(connection, "/fast")
        return connection

    async def send(self, path: str, kept: Connection | None = None) -> None:
        """Send a request now, and wait for its answer."""
        connection = kept or await asyncio.open_connection("127.0.0.1", self.port)
        began_ns, ended_ns, body = await ask(connection, path)
        connection[1].close()
        self.spans.append((began_ns, ended_ns))
        if path == "/block":
            self.blocks.append(tuple(json.loads(body)))

    @property
    def waited_s(self) -> float:
        """How long they waited together, but for each blocking one's own block."""
        waited_ns = sum(ended - began for began, ended in self.spans)
        return (waited_ns - sum(ended - began for began, ended in self.blocks)) / 1e9

    @property
    def waited_during_s(self) -> float:
        """How much of that was while somebody blocked."""
        waited_ns = 0
        for start, end in self.blocks:
            waited_ns += sum(
                max(0, min(ended, end) - max(began, start))
                for began, ended in self.spans
            )
            # One of them was the one that blocked.
            waited_ns -= end - start
        return waited_ns / 1e9


async def ask(connection: Connection, path: str) -> tuple[int, int, bytes]:
    """Ask once; return when the kernel had it, when the answer was there, and that."""
    reader, writer = connection
    writer.write(f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode())
    began_ns = time.monotonic_ns()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    body = await reader.readexactly(length)
    return began_ns, time.monotonic_ns(), body


async def send_all(clients: Clients, stalls: int, fast: int) -> None:
    """Send blocking requests at once and others while they block; wait for all answers."""
    kept = [await clients.connect() for _ in range(fast // 2)]
    await asyncio.sleep(1)
    async with asyncio.TaskGroup() as group:
        for _ in range(stalls):
            group.create_task(clients.send("/block"))
        for number in range(fast):
            connection = kept[number // 2] if number % 2 else None
            group.create_task(clients.send("/fast", connection))
            await asyncio.sleep(stalls * BLOCK_S / fast)


def main() -> int:
    """Run it for each interpreter and loop, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stalls", type=int, default=50)
    parser.add_argument("--fast", type=int, default=200)
    parser.add_argument("--loops", type=str.split, default=["asyncio", "uvloop"])
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    print(
        f"{'':18} {'stalls':>7} {'requests':>9} {'waited in blocks':>17} {'told':>9} "
        f"{'off':>7} {'waited beside':>14}"
    )
    failed = False
    for python in options.pythons:
        for loop in options.loops:
            failed |= measure(python, loop, options.stalls, options.fast)
    return int(failed)


def measure(python: str, loop: str, stalls: int, fast: int) -> bool:
    """Run one server through it; print a row; say whether it failed."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        script = Path(folder) / "shop.py"
        script.write_text(APP)
        env = os.environ | {"LOOPSCOPE_DIR": folder, "PYTHONPATH": str(ROOT)}
        port = free_port()
        server = [python, str(script), str(port), loop, str(BLOCK_S)]
        with running(server, env=env):
            wait_until_up(port)
            with serving_dashboard(env) as dashboard:
                clients = Clients(port)
                asyncio.run(send_all(clients, stalls, fast))
                time.sleep(1)
                url = f"http://127.0.0.1:{dashboard}/api/state"
                with urllib.request.urlopen(url) as answer:
                    told = json.load(answer)["stalls"]
    told_s = sum(stall["victims"]["delay_ms"] for stall in told) / 1000
    during_s = clients.waited_during_s
    off = told_s / during_s - 1
    print(
        f"{version_of(python)} {loop:10} {len(told):>7} {len(clients.spans):>9} "
        f"{during_s:>15.1f} s {told_s:>7.1f} s {off:>+7.1%} "
        f"{clients.waited_s - during_s:>12.1f} s",
        flush=True,
    )
    return abs(off) > 0.05 or len(told) != stalls


if __name__ == "__main__":
    carry_out(main)
