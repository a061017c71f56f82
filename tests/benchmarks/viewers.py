"""Print how old frames are when many viewers get them, and what a viewer costs.

    python tests/benchmarks/viewers.py [--viewers 500] [--seconds 10] [--rate 50]

A real dashboard, held to one core, shows its demo app under load. The viewers are
sockets in a light process of their own, which looks at nothing but each frame's time.
Each count is measured twice, by turns: without, and with one viewer that never reads.
*Age* is from the moment that a frame tells of to its arrival. Asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ending import carry_out, running

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
NOW = b'"t_ns":'
#: After they came: their snapshots have gone out by then.
SETTLE_S = 3
ROUNDS = 2


class Eyes(asyncio.Protocol):
    """One viewer: notes when frames came, and how old they were."""

    ages_ms: list[float]

    def __init__(self, origin_unix_ms: int, ages_ms: list[float]) -> None:
        self._origin_unix_ms = origin_unix_ms
        self._ages_ms = ages_ms
        self.frames = 0
        self.bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count, and read the time of the newest frame."""
        self.bytes += len(data)
        frames = data.count(b"\nevent: frame\n")
        if not frames:
            return
        self.frames += frames
        at = data.find(NOW, data.rfind(b"\nevent: frame\n"))
        found = re.match(rb"\d+", data[at + len(NOW) : at + len(NOW) + 20])
        if at > 0 and found:
            t_ms = self._origin_unix_ms + int(found[0]) / 1e6
            self._ages_ms.append(time.time() * 1e3 - t_ms)


@contextlib.contextmanager
def serving(folder: str) -> Iterator[tuple[subprocess.Popen, str, str]]:
    """Give a dashboard with its demo app for as long as the block, and both addresses."""
    ports = ["--port", "0", "--demo-port", "0"]
    with running(
        [sys.executable, "-m", "dashboard", *ports],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"LOOPSCOPE_DIR": folder, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    ) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        page, demo = (re.search(r"http://\S+", line)[0] for line in lines)
        yield process, page, demo


def origin_of(page: str) -> int:
    """Return the wall clock's milliseconds at the stream's zero."""
    url = urlsplit(page)
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(REQUEST)
        data = b""
        while not (found := re.search(rb'"origin_unix_ms":(\d+)', data)):
            data += connection.recv(65_536)
    return int(found[1])


def status(pid: int) -> tuple[int, float]:
    """Return a process's memory in KiB and its processor seconds."""
    text = Path(f"/proc/{pid}/status").read_text()
    memory_kb = int(re.search(r"VmRSS:\s+(\d+)", text)[1])
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return memory_kb, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def knock(demo: str, rate: float) -> None:
    """Send a request to the demo app `rate` times a second, for ever."""
    url = urlsplit(demo)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    request = f"GET /fast HTTP/1.1\r\nHost: localhost:{url.port}\r\n\r\n".encode()
    while True:
        writer.write(request)
        await reader.read(4096)
        await asyncio.sleep(1 / rate)


async def until_up(demo: str) -> None:
    """Wait until the demo app accepts connections."""
    url = urlsplit(demo)
    while True:
        try:
            _, writer = await asyncio.open_connection(url.hostname, url.port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def never_read(page: str) -> socket.socket:
    """Open a viewer with a small window that takes nothing."""
    url = urlsplit(page)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.connect((url.hostname, url.port))
    stuck.sendall(REQUEST)
    return stuck


async def measure(page, pid, count, options, *, stuck) -> dict[str, float]:
    """Let `count` viewers watch for a while; return what they saw and cost."""
    url = urlsplit(page)
    loop = asyncio.get_running_loop()
    origin, ages = origin_of(page), []
    before_kb, _ = status(pid)
    beside = never_read(page) if stuck else None
    eyes = []
    for _ in range(count):
        transport, viewer = await loop.create_connection(
            lambda: Eyes(origin, ages), url.hostname, url.port
        )
        eyes.append((transport, viewer))
    await asyncio.sleep(SETTLE_S)
    ages.clear()
    frames = [viewer.frames for _, viewer in eyes]
    sent = sum(viewer.bytes for _, viewer in eyes)
    began_s, (_, cpu_s) = time.monotonic(), status(pid)
    mine_s = time.process_time()
    await asyncio.sleep(options.seconds)
    took_s, (after_kb, cpu_end_s) = time.monotonic() - began_s, status(pid)
    mine_s = time.process_time() - mine_s
    got = [v.frames - was for (_, v), was in zip(eyes, frames, strict=True)]
    result = {
        "frames": statistics.median(got) / took_s,
        "least": min(got) / took_s,
        "p50": statistics.median(ages),
        "p95": statistics.quantiles(ages, n=20)[-1],
        "worst": max(ages),
        "core": (cpu_end_s - cpu_s) / took_s,
        "client": mine_s / took_s,
        "kb": (after_kb - before_kb) / count,
        "frame_bytes": (sum(v.bytes for _, v in eyes) - sent) / max(1, sum(got)),
    }
    for transport, _ in eyes:
        transport.abort()
    if beside is not None:
        beside.close()
    await asyncio.sleep(1)
    return result


async def run(options: argparse.Namespace, folder: str) -> None:
    """Start everything, measure each count, print the table."""
    with serving(folder) as (process, page, demo):
        await until_up(demo)
        cores = sorted(os.sched_getaffinity(0))
        for task in os.listdir(f"/proc/{process.pid}/task"):
            os.sched_setaffinity(int(task), cores[:1])
        load = asyncio.create_task(knock(demo, options.rate))
        # The first viewers bring what is made once; they are not counted.
        await measure(page, process.pid, 5, options, stuck=False)
        print(
            f"{options.rate:g} requests/s, {options.seconds:g} s each, "
            f"{sys.version.split()[0]}"
        )
        print(
            f"{'viewers':>8}{'stuck':>6}{'frames/s':>10}{'least':>7}{'p50 ms':>8}"
            f"{'p95 ms':>8}{'worst':>7}{'core':>6}{'client':>8}{'KiB each':>10}"
            f"{'bytes':>7}"
        )
        for count in options.viewers:
            for turn in range(2 * ROUNDS):
                stuck = turn % 2 == 1
                got = await measure(page, process.pid, count, options, stuck=stuck)
                print(
                    f"{count:>8}{'one' if stuck else '–':>6}{got['frames']:>10.1f}"
                    f"{got['least']:>7.1f}{got['p50']:>8.0f}{got['p95']:>8.0f}"
                    f"{got['worst']:>7.0f}{got['core']:>6.0%}{got['client']:>8.0%}"
                    f"{got['kb']:>10.0f}{got['frame_bytes']:>7.0f}",
                    flush=True,
                )
        load.cancel()


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=50, help="requests per second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(options, folder))


if __name__ == "__main__":
    carry_out(main)
