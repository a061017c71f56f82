"""Run everything for long under load; print and plot whether anything grows or drifts.

    python tests/benchmarks/long_run.py --minutes 60 --rate 1000

A recorded app, its dashboard, three viewers and a load generator. Every two seconds:
anonymous memory and open files of each process, and how old the newest frame is. That
age changes if the clocks of page and server drift apart. At the end: does the dashboard
know of each request that the app has answered, or count it as lost? The plot goes to
`long_run.svg` beside this file. Asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
APP = """
import asyncio
from dashboard import observe
from fastapi import FastAPI

plain = FastAPI()
answered = 0

@plain.middleware("http")
async def count(request, call_next):
    global answered
    response = await call_next(request)
    answered += 1
    return response

@plain.get("/hello")
async def hello():
    await asyncio.sleep(0.001)
    return answered

@plain.get("/threaded")
def threaded():
    return "from a thread"

app = observe(plain)
"""
REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
SAMPLE_S = 2.0
VIEWERS = 3
COLOURS = {"app": "#0072b2", "dashboard": "#d55e00", "loadgen": "#8a8a8a"}


class Sample(NamedTuple):
    """What was seen at one moment."""

    at_s: float
    memory_kb: dict[str, int]
    files: dict[str, int]
    age_ms: float
    """Of the newest frame, the least of all that came since the last sample."""
    missed: int


class Watcher(asyncio.Protocol):
    """A viewer; keeps the least age of what came since it was asked."""

    def __init__(self) -> None:
        self._data = b""
        self._origin_ms = 0
        self.age_ms = float("inf")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Look at the time of each frame."""
        if not self._origin_ms:
            self._data += data
            found = re.search(rb'"origin_unix_ms":(\d+)', self._data)
            self._origin_ms = int(found[1]) if found else 0
            return
        for found in re.finditer(rb'"seq":\d+,"t_ns":(\d+)', data):
            t_ms = self._origin_ms + int(found[1]) / 1e6
            self.age_ms = min(self.age_ms, time.time() * 1e3 - t_ms)

    def take(self) -> float:
        """Return the least age, and begin anew."""
        age_ms, self.age_ms = self.age_ms, float("inf")
        return age_ms


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def look(pid: int) -> tuple[int, int]:
    """Return a process's anonymous memory in KiB and how many files it has open."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1]), len(
        os.listdir(f"/proc/{pid}/fd")
    )


def get(url: str):
    """Return an answer's JSON."""
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)


async def wait_up(port: int) -> None:
    """Wait until somebody listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def start(folder: Path, ports: dict[str, int], options) -> dict[str, list[str]]:
    """Return the command of each process."""
    python = [sys.executable, "-m"]
    url = f"http://127.0.0.1:{ports['app']}"
    load = [f"{url}/hello", f"{url}/threaded", "--mix", "9,1", "-u", "200"]
    return {
        "app": [
            *(*python, "uvicorn", "soaked:app", "--port", str(ports["app"])),
            *("--no-access-log", "--log-level", "warning"),
        ],
        "dashboard": [*python, "dashboard", "watch", "--port", str(ports["dashboard"])],
        "loadgen": [
            *(*python, "loadgen", "run", *load, "--client", "fast", "-q"),
            *("--rate", f"{options.rate:g}", "-t", f"{options.minutes * 60:g}"),
        ],
    }


async def soak(folder: Path, options: argparse.Namespace) -> tuple[list[Sample], dict]:
    """Run it all; return the samples, and what the app and the dashboard count."""
    ports = {"app": free_port(), "dashboard": free_port()}
    environ = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LOOPSCOPE_DIR": str(folder / "rings"),
    }
    running: dict[str, subprocess.Popen] = {}
    samples: list[Sample] = []
    try:
        for name, command in start(folder, ports, options).items():
            if name == "loadgen":
                for port in ports.values():
                    await wait_up(port)
                viewers = [
                    await asyncio.get_running_loop().create_connection(
                        Watcher, "127.0.0.1", ports["dashboard"]
                    )
                    for _ in range(VIEWERS)
                ]
            out = subprocess.DEVNULL if name != "loadgen" else None
            running[name] = subprocess.Popen(
                command, cwd=folder, env=environ, stdout=out
            )
        began_s = time.monotonic()
        state = f"http://127.0.0.1:{ports['dashboard']}/api/state"
        while running["loadgen"].poll() is None:
            await asyncio.sleep(SAMPLE_S)
            if running["loadgen"].poll() is not None:
                break
            looks = {name: look(process.pid) for name, process in running.items()}
            missed = (await asyncio.to_thread(get, state))["missed"]
            samples.append(
                Sample(
                    time.monotonic() - began_s,
                    {name: seen[0] for name, seen in looks.items()},
                    {name: seen[1] for name, seen in looks.items()},
                    min(viewer.take() for _, viewer in viewers),
                    missed,
                )
            )
        # The question counts itself as well, once it is answered.
        await asyncio.sleep(2)
        answered = await asyncio.to_thread(
            get, f"http://127.0.0.1:{ports['app']}/hello"
        )
        await asyncio.sleep(2)
        told = await asyncio.to_thread(get, state)
        counted = told["counts"] | {"answered": answered + 1, "missed": told["missed"]}
        for transport, _ in viewers:
            transport.abort()
        return samples, counted
    finally:
        for process in running.values():
            process.terminate()
            process.wait(20)


def show(samples: list[Sample], counted: dict, options: argparse.Namespace) -> None:
    """Print the table: the second tenth, when all is warm, against the last."""
    tenth = max(1, len(samples) // 10)
    first, last = samples[tenth : 2 * tenth] or samples[:1], samples[-tenth:]
    print(
        f"{options.minutes:g} min at {options.rate:g} requests/s, "
        f"Python {sys.version.split()[0]}, {len(samples)} samples"
    )
    print(f"{'':12}{'begin KiB':>11}{'end KiB':>10}{'growth':>9}{'files':>12}")
    for name in COLOURS:
        memory = [
            statistics.median([s.memory_kb[name] for s in part])
            for part in (first, last)
        ]
        files = [max(s.files[name] for s in part) for part in (first, last)]
        print(
            f"{name:12}{memory[0]:>11.0f}{memory[1]:>10.0f}"
            f"{memory[1] - memory[0]:>+9.0f}{files[0]:>6} to {files[1]}"
        )
    ages = [min(s.age_ms for s in part) for part in (first, last)]
    print(f"{'age of a frame':20}{ages[0]:.1f} ms, in the end {ages[1]:.1f} ms")
    print(
        f"{'answered':20}{counted['answered']}, finished on the page "
        f"{counted['finished']}, records lost {counted['missed']}"
    )


def plot(samples: list[Sample], options: argparse.Namespace) -> str:
    """Return an SVG of three charts above each other."""
    width, height, left, gap = 880, 150, 70, 46
    end_s = samples[-1].at_s
    charts = [
        (
            "anonymous memory, MiB",
            {
                name: [(s.at_s, s.memory_kb[name] / 1024) for s in samples]
                for name in COLOURS
            },
        ),
        (
            "open files",
            {name: [(s.at_s, s.files[name]) for s in samples] for name in COLOURS},
        ),
        (
            "age of the newest frame, least in 2 s, ms",
            {
                "dashboard": [
                    (s.at_s, s.age_ms) for s in samples if s.age_ms < float("inf")
                ]
            },
        ),
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + left + 90} '
        f'{len(charts) * (height + gap) + 40}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{left}" y="22">{options.minutes:g} min at {options.rate:g} requests/s, '
        f"Python {sys.version.split()[0]}</text>",
    ]
    for number, (title, lines) in enumerate(charts):
        top = 50 + number * (height + gap)
        most = (
            max((y for line in lines.values() for _, y in line), default=1) * 1.1 or 1
        )
        parts.append(f'<text x="{left}" y="{top - 6}" fill="#333333">{title}</text>')
        for share in (0, 0.5, 1):
            y = top + height * (1 - share)
            parts.append(
                f'<path d="M{left} {y:.1f}h{width}" stroke="#dddddd"/>'
                f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" '
                f'fill="#333333">{most * share:.0f}</text>'
            )
        for name, line in lines.items():
            if not line:
                continue
            points = " ".join(
                f"{left + width * x / end_s:.1f},{top + height * (1 - y / most):.1f}"
                for x, y in line
            )
            y = top + height * (1 - line[-1][1] / most) + 4
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" '
                f'stroke-width="1.5"/><text x="{left + width + 6}" y="{y:.1f}" '
                f'fill="{COLOURS[name]}">{name}</text>'
            )
    y = 50 + len(charts) * (height + gap) - 20
    for share in range(5):
        minute = end_s / 60 * share / 4
        parts.append(
            f'<text x="{left + width * share / 4:.0f}" y="{y}" text-anchor="middle" '
            f'fill="#333333">{minute:.1f} min</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1000, help="requests per second")
    parser.add_argument(
        "--plot", type=Path, default=Path(__file__).with_suffix(".svg"), metavar="FILE"
    )
    options = parser.parse_args()
    # In memory, as rings are by default.
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=base) as name:
        (Path(name) / "soaked.py").write_text(APP)
        samples, counted = asyncio.run(soak(Path(name), options))
    show(samples, counted, options)
    options.plot.write_text(plot(samples, options))
    print(f"plot: {options.plot.name}")


if __name__ == "__main__":
    main()
