"""Run everything for long under load; print and plot whether anything grows or drifts.

    python tests/benchmarks/long_run.py --minutes 60 --rate 1000

A recorded app, its dashboard, three viewers and a load generator. Every two seconds:
anonymous memory, open files and computing of each, its child processes included, and how
old the newest frame is. That age changes if the clocks of page and server drift apart.
At the end: does the dashboard know of each request that the app has answered, or count
it as lost? The plot goes to `long_run.svg` beside this file. Asserts nothing.

Ctrl-C and SIGTERM end it early, with the report and the plot of what there was until
then. The first third is warming up: what the dashboard keeps is full after 20 minutes.
The next tenth is compared with the last. *Flat* means: no more than 2 % or 1 MiB of
growth between these, whichever is more, and no file more. Of files the fewest that were
open count, as connections come and go with the load.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from ending import end

ROOT = Path(__file__).parents[2]
APP = """
import asyncio
from dashboard import observe
from fastapi import FastAPI

plain = FastAPI()
answered = 0

@plain.get("/hello")
async def hello():
    await asyncio.sleep(0.001)
    return answered

@plain.get("/threaded")
def threaded():
    return "from a thread"

class Count:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        global answered
        await self.app(scope, receive, send)
        answered += scope["type"] == "http"

plain.add_middleware(Count)
app = observe(plain)
"""
REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
SAMPLE_S = 2.0
VIEWERS = 3
COLOURS = {"app": "#0072b2", "dashboard": "#d55e00", "loadgen": "#8a8a8a"}
#: What counts as flat: the noise of an allocator, no more.
FLAT_SHARE, FLAT_KB = 0.02, 1024
TELL_EVERY_S = 300


class Look(NamedTuple):
    """What a process and its children have just now."""

    memory_kb: int
    """Anonymous: rings are shared, and of fixed size."""
    files: int
    cpu_s: float


class Sample(NamedTuple):
    """What was seen at one moment."""

    at_s: float
    looks: dict[str, Look]
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


def look(pid: int) -> Look:
    """Return what a process has, its children included."""
    proc = Path(f"/proc/{pid}")
    memory = re.search(r"RssAnon:\s+(\d+)", (proc / "status").read_text())
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    own = Look(
        # One that has just ended has no memory any more.
        int(memory[1]) if memory else 0,
        len(os.listdir(proc / "fd")),
        ticks / os.sysconf("SC_CLK_TCK"),
    )
    children = (proc / f"task/{pid}/children").read_text().split()
    return Look(*map(sum, zip(own, *map(look, map(int, children)), strict=True)))


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


async def soak(
    folder: Path, options: argparse.Namespace
) -> tuple[list[Sample], dict, bool]:
    """Run it all; return the samples, what was counted, and whether it was cut short."""
    ports = {"app": free_port(), "dashboard": free_port()}
    environ = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LOOPSCOPE_DIR": str(folder / "rings"),
    }
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
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
            running[name] = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdout=None if name == "loadgen" else subprocess.DEVNULL,
                # A Ctrl-C is for this process, which ends the others in their order.
                start_new_session=True,
            )
        began_s = time.monotonic()
        state = f"http://127.0.0.1:{ports['dashboard']}/api/state"
        told_s = 0.0
        while running["loadgen"].poll() is None and not told_to_stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told_to_stop.wait(), SAMPLE_S)
            if running["loadgen"].poll() is not None:
                break
            missed = (await asyncio.to_thread(get, state))["missed"]
            try:
                looks = {name: look(process.pid) for name, process in running.items()}
            except FileNotFoundError:
                continue  # One of the generators has just ended; so will the rest.
            at_s = time.monotonic() - began_s
            age_ms = min(viewer.take() for _, viewer in viewers)
            samples.append(Sample(at_s, looks, age_ms, missed))
            if at_s - told_s >= TELL_EVERY_S:
                told_s = at_s
                kept = ", ".join(f"{n} {it.memory_kb} KiB" for n, it in looks.items())
                print(f"{at_s / 60:.0f} min: {kept}", file=sys.stderr, flush=True)
        end(running["loadgen"])
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
        return samples, counted, told_to_stop.is_set()
    finally:
        for process in reversed(running.values()):
            end(process)


def show(samples: list[Sample], counted: dict, minutes: float, rate: float) -> None:
    """Print the table: the first tenth in which all is warm, against the last."""
    tenth = max(1, len(samples) // 10)
    warm = len(samples) // 3
    first, last = samples[warm : warm + tenth] or samples[:1], samples[-tenth:]
    print(
        f"{minutes:.1f} min at {rate:g} requests/s, "
        f"Python {sys.version.split()[0]}, {len(samples)} samples"
    )
    print(
        f"{'':12}{'begin KiB':>11}{'end KiB':>10}{'growth':>9}{'files':>14}{'cores':>8}"
    )
    for name in COLOURS:
        begin_kb, end_kb = (
            statistics.median([s.looks[name].memory_kb for s in part])
            for part in (first, last)
        )
        before, after = (
            min(s.looks[name].files for s in part) for part in (first, last)
        )
        from_s, to_s = samples[0].at_s, samples[-1].at_s
        used_s = samples[-1].looks[name].cpu_s - samples[0].looks[name].cpu_s
        is_flat = end_kb - begin_kb <= max(FLAT_KB, FLAT_SHARE * begin_kb)
        print(
            f"{name:12}{begin_kb:>11.0f}{end_kb:>10.0f}{end_kb - begin_kb:>+9.0f}"
            f"{before:>6} to {after:<4}{used_s / (to_s - from_s or 1):>8.2f}"
            f"  {'flat' if is_flat and after <= before else 'GROWS'}"
        )
    ages = [min(s.age_ms for s in part) for part in (first, last)]
    print(
        f"least age of a frame {ages[0]:.1f} ms, in the end {ages[1]:.1f} ms: "
        f"the clocks drifted by {ages[1] - ages[0]:+.1f} ms"
    )
    unexplained = counted["answered"] - counted["finished"] - counted["missed"]
    print(
        f"answered {counted['answered']}, finished on the page {counted['finished']}, "
        f"records lost {counted['missed']}: {max(0, unexplained)} unexplained"
    )


def plot(samples: list[Sample], minutes: float, rate: float) -> str:
    """Return an SVG of three charts above each other."""
    width, height, left, gap = 880, 150, 70, 46
    end_s = samples[-1].at_s
    charts = [
        (
            "anonymous memory, MiB",
            {
                name: [(s.at_s, s.looks[name].memory_kb / 1024) for s in samples]
                for name in COLOURS
            },
        ),
        (
            "open files",
            {
                name: [(s.at_s, s.looks[name].files) for s in samples]
                for name in COLOURS
            },
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
        f'<text x="{left}" y="22">{minutes:.1f} min at {rate:g} requests/s, '
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
        samples, counted, is_cut = asyncio.run(soak(Path(name), options))
    if not samples:
        sys.exit("ended before anything was seen")
    minutes = samples[-1].at_s / 60
    if is_cut:
        print(f"told to stop: this is what was seen of {options.minutes:g} min")
    show(samples, counted, minutes, options.rate)
    options.plot.write_text(plot(samples, minutes, options.rate))
    print(f"plot: {options.plot}")


if __name__ == "__main__":
    main()
