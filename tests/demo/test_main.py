"""The demo app's process: says where it is, and ends when it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request

import pytest


@pytest.fixture
def start(tmp_path):
    """Start the demo app with flags; whatever happens, end it."""
    started = []

    def start(*flags):
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.demo", "--port", "0", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"LOOPSCOPE_DIR": str(tmp_path), "PATH": os.environ["PATH"]},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_first_line(start, loop):
    """The first line is the address, and it answers from then on."""
    process = start("--loop", loop)
    url = process.stdout.readline().strip()

    with urllib.request.urlopen(f"{url}/fast", timeout=10) as response:
        assert response.status == 200


def test_parent_gone(start):
    """When the pipe on stdin closes, the process ends at once."""
    process = start("--die-with-parent")
    assert process.stdout.readline()

    process.stdin.close()

    assert process.wait(10) == 0


def test_stdin_closed_alone(start):
    """Without being asked to, it does not care about stdin."""
    process = start()
    url = process.stdout.readline().strip()
    process.stdin.close()

    with urllib.request.urlopen(f"{url}/fast", timeout=10) as response:
        assert response.status == 200


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_stopped(start, how, code):
    """A signal ends it without a traceback."""
    process = start()
    assert process.stdout.readline()

    process.send_signal(how)
    _, errors = process.communicate(timeout=10)

    assert (code, "") == (process.returncode, errors)


def test_taken_port(start):
    """A taken port is one sentence and exit code 3."""
    url = start().stdout.readline().strip()
    port = url.rpartition(":")[2]

    other = start("--port", port)
    output, errors = other.communicate(timeout=10)

    assert (other.returncode, output, errors.count("\n")) == (3, "", 1)
    assert port in errors
