"""Fifty stalls in a row under overlapping load: do the victims' delays add up?

    python tests/benchmarks/victims.py [--stalls 50] [--fast 200] [--loops 'asyncio uvloop'] [PYTHON ...]

Clients of another process, whom nobody announces to the dashboard, send blocking
requests all at once and others meanwhile, over new and kept-alive connections, and
measure how long each took. What the stalls say that they delayed must be what the
clients waited, but for each blocking request's own time. What they waited during the
stalls alone is told as well: the rest is the loop's other work, and on a busy machine
what the clients themselves had to wait for a processor.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from stalls import free_port, serving_dashboard, version_of, wait_until_up

ROOT = Path(__file__).resolve().parents[2]
BLOCK_S = 0.15

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
    began = time.monotonic()
    time.sleep(float(sys.argv[3]))
    return time.monotonic() - began

dashboard.observe(app)
config = uvicorn.Config(app, port=int(sys.argv[1]), loop=sys.argv[2],
                        log_level="warning", timeout_keep_alive=120, backlog=2048)
uvicorn.Server(config).run()
"""


class Clients:
    """Requests under way, each in a thread, and how long they took."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.waited_s = 0.0
        self.blocked_s = 0.0
        self.count = 0
        self.spans: list[tuple[int, int]] = []
        """When each request went out and when its answer was there, in ns."""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that has served once, and is kept alive."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/fast")
        connection.getresponse().read()
        return connection

    def send(self, path: str, kept: http.client.HTTPConnection | None = None) -> None:
        """Send a request now."""
        thread = threading.Thread(target=self._run, args=(path, kept))
        thread.start()
        self._threads.append(thread)

    def _run(self, path: str, kept: http.client.HTTPConnection | None) -> None:
        connection = kept or http.client.HTTPConnection("127.0.0.1", self.port)
        began_ns = time.monotonic_ns()
        connection.request("GET", path)
        answer = connection.getresponse().read()
        ended_ns = time.monotonic_ns()
        connection.close()
        with self._lock:
            self.count += 1
            self.spans.append((began_ns, ended_ns))
            self.waited_s += (ended_ns - began_ns) / 1e9
            if path == "/block":
                self.blocked_s += json.loads(answer)

    def waited_during(self, stalls: list[dict], origin_ns: int) -> float:
        """Return for how many seconds they waited while those stalls held others."""
        waited_ns = 0.0
        for stall in stalls:
            start_ns = origin_ns + stall["start_ns"]
            end_ns = start_ns + stall["duration_ms"] * 1e6
            waited_ns += sum(
                max(0, min(ended, end_ns) - max(began, start_ns))
                for began, ended in self.spans
            )
            # One of them was the one that it served.
            waited_ns -= end_ns - start_ns
        return waited_ns / 1e9

    def join(self) -> None:
        """Wait for all answers."""
        for thread in self._threads:
            thread.join()


def main() -> int:
    """Run it for each interpreter and loop, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stalls", type=int, default=50)
    parser.add_argument("--fast", type=int, default=200)
    parser.add_argument("--loops", type=str.split, default=["asyncio", "uvloop"])
    parser.add_argument("pythons", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    print(
        f"{'':18} {'stalls':>7} {'requests':>9} {'clients waited':>15} {'told':>9} {'off':>7} "
        f"{'during stalls':>15} {'off':>7}"
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
        server = subprocess.Popen(
            [python, str(script), str(port), loop, str(BLOCK_S)], env=env
        )
        try:
            wait_until_up(port)
            with serving_dashboard(env) as dashboard:
                clients = Clients(port)
                kept = [clients.connect() for _ in range(fast // 2)]
                time.sleep(1)
                for _ in range(stalls):
                    clients.send("/block")
                pause_s = stalls * BLOCK_S / fast
                for number in range(fast):
                    clients.send("/fast", kept[number // 2] if number % 2 else None)
                    time.sleep(pause_s)
                clients.join()
                time.sleep(1)
                url = f"http://127.0.0.1:{dashboard}/api/state"
                with urllib.request.urlopen(url) as answer:
                    state = json.load(answer)
                    origin_ns = time.monotonic_ns() - state["t_ns"]
                    told = state["stalls"]
        finally:
            server.kill()
            server.wait()
    waited_s = clients.waited_s - clients.blocked_s
    told_s = sum(stall["victims"]["delay_ms"] for stall in told) / 1000
    during_s = clients.waited_during(told, origin_ns)
    off = told_s / waited_s - 1
    print(
        f"{version_of(python)} {loop:10} {len(told):>7} {clients.count:>9} "
        f"{waited_s:>13.1f} s {told_s:>7.1f} s {off:>+7.1%} "
        f"{during_s:>13.1f} s {told_s / during_s - 1:>+7.1%}",
        flush=True,
    )
    return abs(off) > 0.05 or len(told) != stalls


if __name__ == "__main__":
    sys.exit(main())
