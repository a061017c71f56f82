"""The command that runs every test is no test itself, and yet must not say what is not so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: The command with other groups than its own.
PROGRAM = """
import runpy, sys
names = runpy.run_path(".ci/test")
group = lambda title, *command: names["Group"](title, list(command))
python = sys.executable
names["main"].__globals__["lanes"] = lambda: [
    [group("the missing", "./there-is-none"), group("behind it", python, "-c", "print(6 * 7)")],
    [group("the last", python, "-c", "pass")],
]
sys.exit(names["main"]())
"""


def test_what_cannot_start_has_failed():
    """A group whose command is not there fails the run, and the one behind it runs."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )

    assert run.returncode == 1
    assert run.stderr == "failed: the missing\n"
    assert "./there-is-none cannot be started (No such file or directory)" in run.stdout
    assert "42" in run.stdout
