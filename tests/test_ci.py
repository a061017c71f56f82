"""What runs the tests, and what runs the product, must not say what is not so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: The command with other groups than its own.
PROGRAM = """
import runpy, sys
names = runpy.run_path(".ci/test")
python = sys.executable
def group(title, *command, cache=None):
    return names["Group"](title, list(command), cache)
names["main"].__globals__["lanes"] = lambda: {lanes}
sys.exit(names["main"]())
"""
MISSING = """[
    [group("the missing", "./there-is-none"), group("behind it", python, "-c", "print(6 * 7)")],
    [group("the last", python, "-c", "pass")],
]"""
TESTS = """[[group("the tests", python, "-m", "pytest", "-q", {file!r}, cache={cache!r})]]"""

#: One test of a full machine, one that is broken.
FAILING = """
import pathlib
def test_full():
    tries = pathlib.Path(__file__).with_suffix(".tries")
    tries.write_text(tries.read_text() + "+" if tries.exists() else "+")
    assert len(tries.read_text()) > 1
def test_fine():
    pass
def test_broken():
    assert {verdict}
"""


def run(lanes):
    """Run the command with such lanes; return how it ended and what it said."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(lanes=lanes)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )


@pytest.mark.parametrize(
    ("is_broken", "code", "says"),
    [(False, 0, "1 passed, 2 deselected"), (True, 1, "1 failed, 1 passed")],
)
def test_what_failed_is_tried_alone(tmp_path, is_broken, code, says):
    """What fails with nobody beside fails the run; what passes then does not."""
    file = tmp_path / "test_it.py"
    file.write_text(FAILING.format(verdict=not is_broken))
    ended = run(TESTS.format(file=str(file), cache=str(tmp_path / "notes")))

    assert ended.returncode == code
    last = ended.stdout.partition("the tests: what failed, alone")[2]
    assert says in last
    assert "test_fine" not in last


def test_what_cannot_start_has_failed():
    """A group whose command is not there fails the run, and the one behind it runs."""
    ended = run(MISSING)

    assert ended.returncode == 1
    assert ended.stderr == "failed: the missing\n"
    assert (
        "./there-is-none cannot be started (No such file or directory)" in ended.stdout
    )
    assert "42" in ended.stdout


#: Stands for `loopscope`: up until Ctrl-C, and then as it ends, in about its time. To
#: one that ends at the very moment of the signal make says *wait: No child processes*.
STAND_IN = f"""#!{sys.executable}
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(time.sleep(1) or 130))
print("up", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_ctrl_c_is_no_error(tmp_path):
    """Ctrl-C in the terminal of `make run` ends it without a word of make's own."""
    (tmp_path / "bin").mkdir()
    for path in (tmp_path / "bin" / "python", tmp_path / "installed"):
        path.touch()
    command = tmp_path / "bin" / "loopscope"
    command.write_text(STAND_IN)
    command.chmod(0o700)
    make = ["make", "--no-print-directory", "run", f"VENV={tmp_path}"]
    terminal = subprocess.Popen(
        [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", *make],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        said = terminal.stdout.readline()
        said += terminal.communicate(b"\x03", timeout=50)[0]
    finally:
        terminal.kill()

    assert said.split() == [b"up", b"^C"]
