"""Benchmarks start servers, and leave none behind, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from ending import carry_out, running

def main():
    with running(["sleep", "1000"]) as child:
        print(child.pid, flush=True)
        child.wait()

carry_out(main)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop(number):
    """A benchmark that is told to stop ends first what it started, and says so."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent / "benchmarks")},
        stdout=subprocess.PIPE,
        text=True,
    ) as benchmark:
        child = int(benchmark.stdout.readline())
        benchmark.send_signal(number)
        said, _ = benchmark.communicate(timeout=40)

    assert (benchmark.returncode, said[:12]) == (130, "told to stop")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
