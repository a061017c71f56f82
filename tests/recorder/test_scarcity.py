"""A program to which the system gives nothing more answers as it would without us."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="what a process has is read from /proc"
)

PROGRAM = """
import asyncio, os, resource, sys
from dashboard import observe

async def app(scope, receive, send):
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})

def no_descriptor():
    most = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

def no_memory():
    pages = int(open("/proc/self/statm").read().split()[0])
    most = pages * resource.getpagesize() + (4 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))

async def main(limit):
    served = observe(app)
    sent = []
    async def send(message):
        sent.append(message.get("body", message.get("status")))
    limit()
    for _ in range(3):
        await served({"type": "http", "method": "GET", "path": "/", "headers": []}, None, send)
    print(sent)

asyncio.run(main(globals()[sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("no_descriptor", os.strerror(errno.EMFILE)),
        ("no_memory", os.strerror(errno.ENOMEM)),
    ],
)
def test_nothing_left(tmp_path, limit, reason):
    """Where no ring can be had an app serves all the same; one line says why."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, limit],
        env=os.environ | {"LOOPSCOPE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == f"{[200, b'served'] * 3}\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("not recording: cannot create a ring")
    assert reason in line
    assert list(tmp_path.iterdir()) == []
    assert done.returncode == 0
