"""The door for dumps opens only where nobody else is, and closes without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rings import read_ring

from dashboard.recorder.dump import DumpDoor
from dashboard.records import Cell
from dashboard.ring import DUMP_SUFFIX, create_ring

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGRTMAX"), reason="this system has no real-time signals"
)

# pytest uses faulthandler itself, so that the door stays shut in its process.
PROGRAM = """
import asyncio, json, os, signal, sys
import dashboard
from dashboard.recorder import attach
from dashboard.records import Cell

# The C library takes two for itself as soon as there is a second thread.
OURS = ~(0b11 << 31)

def caught():
    with open("/proc/self/status") as status:
        lines = [line for line in status if line.startswith("SigCgt")]
    return int(lines[0][7:], 16) & OURS

def held_here():
    os.kill(os.getpid(), recording.recorder.ring.cells[Cell.DUMP_SIGNAL])

async def main():
    global recording
    told = {"before": caught()}
    with dashboard.record() as recording:
        cells = recording.recorder.ring.cells
        path = recording.recorder.ring.path.with_suffix(".dump")
        told |= {"signal": cells[Cell.DUMP_SIGNAL], "during": caught()}
        if cells[Cell.DUMP_SIGNAL] > 0:
            told["mode"] = path.stat().st_mode & 0o777
            held_here()
            told["dump"] = path.read_text()
            if hasattr(os, "fork"):
                child = os.fork()
                if child == 0:
                    os._exit(caught() != told["before"])
                told["child"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                told["kept"] = path.exists()
        else:
            told["why"] = recording.recorder.ring.cells[Cell.DUMP_SIGNAL]
    told |= {"after": caught(), "left": path.exists(), "cell": cells[Cell.DUMP_SIGNAL]}
    print(json.dumps(told))

asyncio.run(main())
"""


def run(ring_dir, program=PROGRAM, **environ):
    """Run a recorded program in a process of its own; return what it told."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "LOOPSCOPE_DIR": str(ring_dir)}
    env.pop("PYTHONFAULTHANDLER", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=env | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def refusal(ring_dir):
    """Return why the only ring has no signal."""
    (path,) = ring_dir.glob("*.ring")
    told = read_ring(path)
    return told.strings[-told.cells[Cell.DUMP_SIGNAL]]


def test_opens_and_closes(ring_dir):
    """While recording lasts a signal writes the stack to a private file; then nothing is
    left."""
    told = run(ring_dir)

    bit = 1 << (told["signal"] - 1)
    assert told["signal"] > signal.SIGRTMIN
    assert (told["before"] & bit, told["during"] & bit) == (0, bit)
    assert told["mode"] == 0o600
    assert " in held_here" in told["dump"]
    assert told["dump"].startswith("library ")
    assert told["after"] == told["before"]
    assert (told["left"], told["cell"]) == (False, 0)


def test_forked_child(ring_dir):
    """A forked child does not answer the signal, and leaves its parent's file."""
    told = run(ring_dir)

    assert (told["child"], told["kept"]) == (0, True)


def test_switched_off(ring_dir):
    """Who does not want it says so in the environment."""
    told = run(ring_dir, LOOPSCOPE_DUMPS="off")

    assert told["signal"] < 0
    assert told["during"] == told["before"]


def test_app_uses_faulthandler(ring_dir):
    """An app with a faulthandler of its own keeps it to itself, unless it allows both."""
    alone = run(ring_dir, PYTHONFAULTHANDLER="1")
    both = run(ring_dir, PYTHONFAULTHANDLER="1", LOOPSCOPE_DUMPS="on")

    assert alone["signal"] < 0
    assert both["signal"] > 0
    assert both["after"] == both["before"]


def test_signal_in_use(ring_dir):
    """A signal that the program handles, ignores or blocks is left to it."""
    taken = """
import signal
numbers = [signal.SIGRTMAX - 4, signal.SIGRTMAX - 5, signal.SIGRTMAX - 6]
signal.signal(numbers[0], lambda *_: None)
signal.signal(numbers[1], signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, numbers[2:])
"""
    told = run(ring_dir, taken + PROGRAM)

    assert told["signal"] == signal.SIGRTMAX - 7


def test_reason_is_told(ring_dir):
    """Why there is no signal is in the ring, for whoever reads it."""
    import faulthandler

    if not faulthandler.is_enabled():
        pytest.skip("pytest's faulthandler plugin is off")
    ring = create_ring(kind="test", title="", loop_no=1, records_bytes=1 << 12)
    DumpDoor(ring).open()

    assert refusal(ring_dir) == (
        "the app uses faulthandler itself; LOOPSCOPE_DUMPS=on allows both"
    )


def test_system_without_such_signals(ring_dir, monkeypatch):
    """Where there are no real-time signals, as on Windows, the ring says so."""
    monkeypatch.delattr(signal, "SIGRTMAX")
    ring = create_ring(kind="test", title="", loop_no=1, records_bytes=1 << 12)
    DumpDoor(ring).open()

    assert refusal(ring_dir) == "this system has no real-time signals"


def test_failure_is_no_failure(ring_dir, monkeypatch):
    """If it cannot be opened for any reason, recording goes on without it."""
    monkeypatch.setenv("LOOPSCOPE_DUMPS", "on")
    ring = create_ring(kind="test", title="", loop_no=1, records_bytes=1 << 12)
    ring.path.with_suffix(DUMP_SUFFIX).write_text("somebody else's")
    door = DumpDoor(ring)
    door.open()
    door.close()

    assert ring.path.with_suffix(DUMP_SUFFIX).read_text() == "somebody else's"


def test_trim(ring_dir, monkeypatch):
    """The file is emptied once it is large, but for its first lines."""
    monkeypatch.setenv("LOOPSCOPE_DUMPS", "on")
    ring = create_ring(kind="test", title="", loop_no=1, records_bytes=1 << 12)
    door = DumpDoor(ring)
    door.open()
    try:
        path = ring.path.with_suffix(DUMP_SUFFIX)
        head = path.read_text()
        with path.open("a") as file:
            file.write("x" * 1000)
        door.trim()
        small = path.read_text()
        with path.open("a") as file:
            file.write("x" * 70_000)
        door.trim()
        large = path.read_text()
    finally:
        door.close()

    assert small == head + "x" * 1000
    assert large == head


def test_file_closed_by_the_program(ring_dir):
    """A program that closes every file, as daemons do, closes its loop as ever."""
    program = """
import asyncio, json, os
import dashboard
loop = asyncio.new_event_loop()
recording = dashboard.record(loop).__enter__()
door = recording._dump_door
os.close(door._file)
path = door._path
loop.close()
print(json.dumps([loop.is_closed(), "close" in loop.__dict__, path.exists()]))
"""
    assert run(ring_dir, program) == [True, False, False]


def test_signal_on_its_way(ring_dir):
    """A signal that comes after the end is ignored; later recordings take it again."""
    program = """
import asyncio, json, os
import dashboard
from dashboard.records import Cell

async def main():
    numbers = []
    for _ in range(3):
        with dashboard.record() as one:
            number = one.recorder.ring.cells[Cell.DUMP_SIGNAL]
        os.kill(os.getpid(), number)
        numbers.append(number)
    return numbers

print(json.dumps(asyncio.run(main())))
"""
    numbers = run(ring_dir, program)

    assert numbers[0] > signal.SIGRTMIN
    assert len(set(numbers)) == 1
