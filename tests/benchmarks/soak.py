"""Measure whether recording lets an app's memory grow: the app and its twin, under load.

    python tests/benchmarks/soak.py --minutes 30 --rate 100

Both twins serve the same requests at the same rate, one of them recorded. They do what
leaks if anything does: tasks, task groups, cancelled waits, worker threads, failing
handlers, streams, clients that go away. Anonymous memory counts; the ring is shared,
of fixed size, and told apart. Asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ending import carry_out, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
APP = """
import asyncio
from fastapi import BackgroundTasks, FastAPI, HTTPException
from fastapi.responses import StreamingResponse

app = FastAPI()

@app.get("/hello")
async def hello():
    return {"hello": "world"}

@app.get("/group/{number}")
async def group(number: int):
    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(asyncio.sleep(0.002), name=f"part {number}")
    return number

@app.get("/cancelled")
async def cancelled():
    try:
        async with asyncio.timeout(0.003):
            await asyncio.Event().wait()
    except TimeoutError:
        return "late"

@app.get("/threaded")
def threaded():
    return "from a thread"

@app.get("/fails")
async def fails():
    raise HTTPException(418)

@app.get("/stream")
async def stream():
    async def pieces():
        for _ in range(5):
            yield b"piece"
            await asyncio.sleep(0)
    return StreamingResponse(pieces())

@app.get("/later")
async def later(background: BackgroundTasks):
    background.add_task(asyncio.sleep, 0.005)
    return "now"
"""
PATHS = ("/hello", "/cancelled", "/threaded", "/fails", "/stream", "/later", "/group/")
#: One request in so many is given up by its client.
GIVEN_UP = 50
WARM_UP_S = 60
SAMPLE_S = 5


@contextlib.contextmanager
def serving(
    folder: Path, *, recorded: bool, loop: str
) -> Iterator[tuple[subprocess.Popen, int]]:
    """Give one twin, which lives as long as the block, and its port."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    door = "dashboard.recorder.target"
    target = [f"{door}:app", "--factory", "--loop", f"{door}:new_loop"]
    plain = ["soaked:app", "--loop", loop]
    with running(
        [
            *[sys.executable, "-m", "uvicorn", *(target if recorded else plain)],
            *["--port", str(port), "--log-level", "critical", "--no-access-log"],
        ],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "LOOPSCOPE_APP": "soaked:app",
            "LOOPSCOPE_LOOP": loop,
            "LOOPSCOPE_DIR": str(folder / "rings"),
        },
    ) as process:
        yield process, port


def memory_kb(pid: int) -> dict[str, int]:
    """Return a process's resident memory by kind, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines if line.startswith("Rss"))
    return {
        name.removeprefix("Rss"): int(text.split()[0]) for name, text in found.items()
    }


async def ask(port: int, path: str, *, give_up: bool) -> None:
    """Send one request on a connection of its own; read its answer, or leave."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        if not give_up:
            await reader.read()
    finally:
        writer.close()


async def load(
    ports: list[int], *, rate: float, seconds: float, counts: list[int]
) -> None:
    """Send each request to both twins, `rate` times a second; count the answered."""
    began_s, number = time.monotonic(), 0
    while time.monotonic() - began_s < seconds:
        path = PATHS[number % len(PATHS)]
        path += str(number) if path.endswith("/") else ""
        give_up = number % GIVEN_UP == 0
        done = await asyncio.gather(
            *(ask(port, path, give_up=give_up) for port in ports),
            return_exceptions=True,
        )
        for index, result in enumerate(done):
            counts[index] += result is None
        number += 1
        await asyncio.sleep(max(0.0, began_s + number / rate - time.monotonic()))


async def wait_until_up(ports: list[int]) -> None:
    """Wait until both twins answer."""
    for port in ports:
        while True:
            try:
                await ask(port, "/hello", give_up=False)
                break
            except OSError:
                await asyncio.sleep(0.1)


async def soak(folder: Path, options: argparse.Namespace) -> None:
    """Run both twins under load and print how they grew."""
    counts = [0, 0]
    samples: list[list[dict[str, int]]] = []
    with (
        serving(folder, recorded=True, loop=options.loop) as (recorded, recorded_port),
        serving(folder, recorded=False, loop=options.loop) as (twin, twin_port),
    ):
        pids = [recorded.pid, twin.pid]
        ports = [recorded_port, twin_port]
        await wait_until_up(ports)
        seconds = WARM_UP_S + options.minutes * 60
        work = asyncio.create_task(
            load(ports, rate=options.rate, seconds=seconds, counts=counts)
        )
        await asyncio.sleep(WARM_UP_S)
        while not work.done():
            samples.append([memory_kb(pid) for pid in pids])
            await asyncio.wait([work], timeout=SAMPLE_S)
        await work
    rings = list((folder / "rings").glob("*.ring"))
    show(samples, counts, options, rings)


def show(samples, counts, options, rings) -> None:
    """Print the table."""
    tenth = max(1, len(samples) // 10)
    print(
        f"{options.minutes:g} min at {options.rate:g} requests/s each, {options.loop}, "
        f"Python {'.'.join(map(str, sys.version_info[:3]))}, "
        f"after {WARM_UP_S} s of warming up; {len(rings)} ring"
    )
    print(
        f"{'':12}{'requests':>10}{'begin KiB':>12}{'end KiB':>12}{'growth':>9}{'ring KiB':>10}"
    )
    growths = []
    for index, name in enumerate(("recorded", "twin")):
        anonymous = [sample[index]["Anon"] for sample in samples]
        # The first and last tenth, in the middle: a single sample is luck.
        begin = statistics.median(anonymous[:tenth])
        end = statistics.median(anonymous[-tenth:])
        growths.append(end - begin)
        shared = samples[-1][index]["Shmem"]
        print(
            f"{name:12}{counts[index]:>10}{begin:>12.0f}{end:>12.0f}"
            f"{end - begin:>+9.0f}{shared:>10}"
        )
    print(f"{'beyond the twin':46}{growths[0] - growths[1]:>+9.0f} KiB")


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=100, help="requests per second")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    # In memory, as rings are by default: there they count as shared.
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        folder = Path(name)
        (folder / "soaked.py").write_text(APP)
        asyncio.run(soak(folder, options))


if __name__ == "__main__":
    carry_out(main)
