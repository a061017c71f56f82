"""Block one small asyncio program in four ways under each tool: who names the line, and when?

    python tests/benchmarks/stall_peers.py [--python python3.12] [--only TOOL ...]

Tools that exist on PyPI are installed into an environment of their own, which is thrown
away afterwards; each is used as its own README says, with a threshold of 100 ms. The
program is the same for all: a task calls a function of `blocks.py` that holds the loop
for most of a second. Everything that a tool writes (and what its page shows, where it
has one) is read by another process, with the moment when it came. In a cell:

while, 130 ms   the right file and line, that long after the threshold, while it lasted
after           the right file and line, when the block was over or just about to be
elsewhere       something was said with a line, but never that one; then which
length          something was said, without a line of ours
nothing         that
refused         the call was not made: an exception in the app instead, with the line

Whether the program came to its end is in the last column.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ending import carry_out, running
from stalls import Viewer, free_port, serving_dashboard, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
THRESHOLD_S = 0.1
KINDS = ("sleep", "python", "held", "regex")
PACKAGES = ("aiocop", "loopsentry", "pyleak", "blockbuster", "asyncviz")
#: Some need long until they are there; a test of patience is not what this is.
PATIENCE_S = 90
POLL_S = 0.005
#: A C call lets others look only when it returns: nobody was told anything before.
AT_ITS_END_NS = 50_000_000
#: What a tool may still say when all is over.
AFTERMATH_S = 2.0

BLOCKS = r'''
"""Hold the loop in one of four ways; the lines that do are marked."""
import os, re, time

SECONDS = 0.9
N, R = (int(part) for part in os.environ.get("SIZES", "0 0").split())

def sleep():
    time.sleep(SECONDS)  # sleep

def python():
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:  # python
        pass  # python

def held():
    sum(range(N))  # held

def regex():
    re.match(r"(a+)+$", "a" * R + "b")  # regex

def calibrate(call, size, grow):
    while True:
        # Not the clock on the wall: on a busy machine it runs faster.
        began = time.thread_time()
        call(size)
        if time.thread_time() - began >= SECONDS * 0.7:
            return size
        size = grow(size)

if __name__ == "__main__":
    n = calibrate(lambda n: sum(range(n)), 1_000_000, lambda n: n * 3 // 2)
    r = calibrate(lambda n: re.match(r"(a+)+$", "a" * n + "b"), 16, lambda n: n + 1)
    print(n, r)
'''

SCENE = r'''
"""One task that blocks, once it is told to go."""
import asyncio, os, pathlib, sys, time
import blocks

HERE = pathlib.Path(os.environ["HERE"])

async def handler():
    getattr(blocks, os.environ["KIND"])()

async def until(name):
    # In a thread: some tools forbid a look at a file on the loop.
    while not await asyncio.to_thread((HERE / name).exists):
        await asyncio.sleep(0.02)

async def scene():
    await asyncio.to_thread((HERE / "ready").touch)
    await until("go")
    began = time.monotonic_ns()
    try:
        await asyncio.create_task(handler())
    except Exception as error:
        if type(error).__name__ != "BlockingError":
            raise
        import traceback
        traceback.print_exc()
    ended = time.monotonic_ns()
    await asyncio.to_thread((HERE / "moments").write_text, f"{began} {ended}")
    await until("enough")
'''

#: How each tool is used, as its README says; `main` runs the scene.
USE = {
    "asyncio debug mode": """
import logging
logging.basicConfig()
asyncio.run(scene(), debug=True)
""",
    "aiocop": """
import aiocop

def on_slow_task(event):
    if event.exceeded_threshold:
        print("SLOW", event, flush=True)

async def main():
    aiocop.patch_audit_functions()
    aiocop.start_blocking_io_detection(trace_depth=20)
    aiocop.detect_slow_tasks(threshold_ms=100, on_slow_task=on_slow_task)
    aiocop.activate()
    await scene()

asyncio.run(main())
""",
    "pyleak": """
import logging
from pyleak import no_event_loop_blocking
logging.basicConfig()

async def main():
    async with no_event_loop_blocking(action="log", threshold=0.1):
        await scene()

asyncio.run(main())
""",
    "LoopSentry": """
from loopsentry import LoopSentry

async def main():
    sentry = LoopSentry(base_dir=str(HERE / "logs"), threshold=0.1)
    sentry.start()
    await scene()
    sentry.stop()

asyncio.run(main())
""",
    "BlockBuster": """
from blockbuster import blockbuster_ctx

with blockbuster_ctx():
    asyncio.run(scene())
""",
    "AsyncViz": "asyncio.run(scene())\n",
    "Loopscope": """
import dashboard

async def main():
    with dashboard.record():
        await scene()

asyncio.run(main())
""",
}
#: Where AsyncViz's page gets what it shows of blocks.
VIZ_PATHS = ("warnings", "monitoring/blocking/stack_capture")
PLACE = re.compile(
    r"([\w/.<>-]+\.py)\W{1,4}(?:[a-z_]*line[a-z_]*\W{1,4})?(\d+)"
    # As JSON has it, with other fields in between.
    r'|"filename":"([^"]+\.py)"[^{}]*?"lineno":(\d+)'
)


@dataclass
class Told:
    """What was said in one run, piece by piece, each with the moment when it came."""

    pieces: list[tuple[int, str]] = field(default_factory=list)
    began_ns: int = 0
    ended_ns: int = 0
    exit_code: int | None = None

    def say(self, text: str) -> None:
        """Keep a piece."""
        self.pieces.append((time.monotonic_ns(), text))


@dataclass
class Files:
    """The files of a folder that grow while a program runs."""

    folder: Path
    seen: dict[Path, int] = field(default_factory=dict)

    def news(self) -> Iterator[str]:
        """Return what was written since the last call."""
        for path in [self.folder / "output", *self.folder.glob("logs/**/*.*")]:
            if path.is_file() and path.stat().st_size > self.seen.get(path, 0):
                with path.open("rb") as file:
                    file.seek(self.seen.get(path, 0))
                    text = file.read()
                self.seen[path] = self.seen.get(path, 0) + len(text)
                yield text.decode(errors="replace")


def main() -> int:
    """Install, run everything, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=list(USE), choices=list(USE))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        theirs = install(options.python, home / "peers", PACKAGES)
        (home / "blocks.py").write_text(BLOCKS)
        sizes = subprocess.run(
            [theirs, home / "blocks.py"], check=True, capture_output=True, text=True
        ).stdout.strip()
        print(f"CPython {version_of(str(theirs))}, load {os.getloadavg()[0]:.1f}")
        print(f"{'':19} " + "".join(f"{kind:<30}" for kind in KINDS) + "survived")
        for tool in options.only:
            python = options.python if tool == "Loopscope" else str(theirs)
            cells, survived = [], True
            for kind in KINDS:
                run = home / f"{tool} {kind}".replace(" ", "-")
                told = watch(tool, kind, python, run, sizes)
                cells.append(verdict(told, kind, home / "blocks.py"))
                survived &= told.exit_code == 0
            words = "".join(f"{cell:<30}" for cell in cells)
            print(f"{tool:<19} {words}{'yes' if survived else 'no'}", flush=True)
    return 0


def install(python: str, folder: Path, packages: tuple[str, ...]) -> Path:
    """Make an environment with the others' tools; return its interpreter."""
    if Path(python).resolve() == Path(sys.executable).resolve():
        venv.create(folder, with_pip=True)
    else:
        subprocess.run([python, "-m", "venv", folder], check=True)
    inside = folder / "bin" / "python"
    for package in packages:
        pip = [inside, "-m", "pip", "install", "--quiet", package]
        if subprocess.run(pip, stderr=subprocess.DEVNULL, check=False).returncode:
            print(f"{package} cannot be installed for this Python", file=sys.stderr)
    return inside


def watch(tool: str, kind: str, python: str, folder: Path, sizes: str) -> Told:
    """Run the scene of one kind under one tool, and listen."""
    folder.mkdir()
    script = folder / "program.py"
    script.write_text(SCENE + USE[tool])
    env = os.environ | {
        "HERE": str(folder),
        "KIND": kind,
        "SIZES": sizes,
        "PYTHONPATH": os.pathsep.join((str(folder.parent), str(ROOT))),
        "PYTHONUNBUFFERED": "1",
        "LOOPSCOPE_DIR": str(folder / "rings"),
    }
    if tool == "Loopscope":
        with serving_dashboard(env) as port:
            viewer = Viewer(port)
            viewer.start()
            told = listen([python, script], env, folder, lambda: bool(viewer.frames))
        told.pieces = [(t, said_by(frame)) for t, frame in list(viewer.frames)]
        return told
    if tool == "AsyncViz":
        port = free_port()
        flags = ["--browser", "never", "--port", str(port), "--startup-timeout", "60"]
        command = [Path(python).with_name("asyncviz"), "run", *flags, script]
        return listen(
            command,
            env,
            folder,
            lambda: bool(page_of(port)),
            lambda: page_of(port),
        )
    return listen([python, script], env, folder, lambda: True)


def said_by(frame: dict) -> str:
    """Return what a frame says of blocked loops and stalls, as places."""
    culprits = [
        *(loop["culprit"] for loop in frame["loops"] if loop["state"] == "blocked"),
        *(stall["culprit"] for stall in frame["stalls"]),
    ]
    return " ".join(f"{each['file']}:{each['line']}" for each in culprits if each)


def page_of(port: int) -> str:
    """Return what AsyncViz's page would show of blocks, or nothing."""
    try:
        return "\n".join(
            urllib.request.urlopen(
                f"http://127.0.0.1:{port}/api/runtime/{path}", timeout=5
            )
            .read()
            .decode()
            for path in VIZ_PATHS
        )
    except (OSError, urllib.error.URLError):
        return ""


def listen(
    command: list,
    env: dict[str, str],
    folder: Path,
    is_ready: Callable[[], bool],
    look: Callable[[], str] = str,
) -> Told:
    """Run a program to its end; keep what it writes and what its page shows."""
    told, files = Told(), Files(folder)
    with (
        (folder / "output").open("wb") as output,
        running(
            command, env=env, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < deadline:
            if (folder / "ready").exists() and is_ready():
                break
            time.sleep(POLL_S)
        # Whatever was said so far is about its own start.
        time.sleep(1)
        list(files.news())
        before = look()
        (folder / "go").touch()
        enough = float("inf")
        while process.poll() is None and time.monotonic() < deadline:
            for text in files.news():
                told.say(text)
            page = look()
            if page != before:
                told.say(page)
                before = page
            if enough == float("inf") and (folder / "moments").exists():
                enough = time.monotonic() + AFTERMATH_S
            if time.monotonic() > enough:
                (folder / "enough").touch()
            time.sleep(POLL_S)
        process.kill()
        told.exit_code = process.wait()
    for text in files.news():
        told.say(text)
    if (folder / "moments").exists():
        began, ended = (folder / "moments").read_text().split()
        told.began_ns, told.ended_ns = int(began), int(ended)
    return told


def verdict(told: Told, kind: str, blocks: Path) -> str:
    """Say in a few words what was said."""
    right = {
        number
        for number, line in enumerate(blocks.read_text().splitlines(), 1)
        if line.endswith(f"# {kind}")
    }
    if not told.ended_ns:
        return "never came to its end"
    others: list[str] = []
    for t, text in told.pieces:
        if t < told.began_ns:
            continue
        places = [
            (Path(one or other).name, int(line or number))
            for one, line, other, number in PLACE.findall(text)
        ]
        if any(name == blocks.name and line in right for name, line in places):
            if "BlockingError" in text:
                return "refused"
            late_ms = (t - told.began_ns) / 1e6 - THRESHOLD_S * 1e3
            is_live = t < told.ended_ns - AT_ITS_END_NS
            return f"while, {late_ms:.0f} ms" if is_live else "after"
        others += [f"{name}:{line}" for name, line in places]
    if others:
        ours = [each for each in others if each.startswith("program.py")]
        return f"elsewhere: {(ours or others)[-1]}"
    said = any(t >= told.began_ns and text.strip() for t, text in told.pieces)
    return "length" if said else "nothing"


if __name__ == "__main__":
    carry_out(main)
