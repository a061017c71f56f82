"""`observe(app)` under the servers that people run: every worker is a loop of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from dashboard.records import Cell, RingState
from dashboard.ring import RingReader, parent_of
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.session import Session

APP = """
import os
from fastapi import FastAPI
from dashboard import observe

app = FastAPI(title="Shop")
observe(app)

@app.get("/")
async def where():
    return os.getpid()
"""
SERVERS = {
    "uvicorn": ["uvicorn", "shop:app", "--port", "{port}"],
    "uvicorn, two workers": [
        "uvicorn",
        "shop:app",
        "--port",
        "{port}",
        "--workers",
        "2",
    ],
    "gunicorn": [
        *["gunicorn", "shop:app", "--bind", "127.0.0.1:{port}", "--workers", "2"],
        *["--worker-class", "uvicorn_worker.UvicornWorker", "--no-control-socket"],
    ],
    "Hypercorn": ["hypercorn", "shop:app", "--bind", "127.0.0.1:{port}"],
    "gunicorn, preloaded": [
        *["gunicorn", "shop:app", "--bind", "127.0.0.1:{port}", "--workers", "2"],
        *["--worker-class", "uvicorn_worker.UvicornWorker", "--preload"],
        "--no-control-socket",
    ],
}


@pytest.fixture
def serve(tmp_path):
    """Start a server with the app: (process, address)."""
    (tmp_path / "shop.py").write_text(APP)
    started = []

    def serve(name):
        if "gunicorn" in name:
            pytest.importorskip("uvicorn_worker")
        elif name == "Hypercorn":
            pytest.importorskip("hypercorn")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        words = [word.format(port=port) for word in SERVERS[name]]
        paths = [str(Path(__file__).parent.parent), str(tmp_path)]
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=tmp_path,
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(paths),
                "LOOPSCOPE_DIR": str(tmp_path / "rings"),
            },
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        return process, f"http://127.0.0.1:{port}/"

    yield serve
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def until(condition, what):
    """Wait for something that other processes do, and return it."""
    pause = threading.Event()
    for _ in range(800):
        found = condition()
        if found:
            return found
        pause.wait(0.05)
    return pytest.fail(f"waited 40 s for {what}, in vain")


def ask(url):
    """Return an answer, or None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def rings(folder):
    """Return the state of each recording, by process."""
    found = {}
    for path in (folder / "rings").glob("*.ring"):
        reader = RingReader(path)
        found[reader.identity.pid] = reader.read_cells()[Cell.STATE]
        reader.close()
    return found


@pytest.mark.parametrize("name", SERVERS)
def test_each_worker_is_recorded(serve, tmp_path, name):
    """Every process that serves has a recording, the one that only supervises has none."""
    process, url = serve(name)
    count = 2 if len(SERVERS[name]) > 4 else 1

    answered = until(lambda: ask(url), "an answer")
    until(lambda: len(rings(tmp_path)) == count, f"{count} recordings")

    assert answered in rings(tmp_path)
    if count > 1:
        assert {parent_of(pid) for pid in rings(tmp_path)} == {process.pid}
    process.terminate()
    process.wait(20)
    assert set(rings(tmp_path).values()) == {RingState.STOPPED}


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn", "Hypercorn"])
def test_clockwork_is_known(serve, tmp_path, name):
    """All that lives in a server that has nothing to do is known as its clockwork."""
    _, url = serve(name)
    session = Session(origin_ns=time.monotonic_ns())
    follower = Follower(rings_in(tmp_path / "rings"), session)
    until(lambda: ask(url), "an answer")

    def living():
        follower.poll()
        tasks = [loop.model.tasks.by_no.values() for loop in session.loops.values()]
        return [task.is_clockwork for each in tasks for task in each]

    until(lambda: living() and all(living()), "a server that is idle")
    follower.close()


def test_recycled_worker(serve, tmp_path):
    """A worker that gunicorn replaces ends its recording, and the new one begins one."""
    process, url = serve("gunicorn")
    until(lambda: ask(url), "an answer")
    until(lambda: len(rings(tmp_path)) == 2, "two recordings")
    before = set(rings(tmp_path))

    process.send_signal(signal.SIGHUP)

    def heirs():
        living = {
            pid
            for pid, state in rings(tmp_path).items()
            if state == RingState.RECORDING
        }
        return len(living) == 2 and not living & before

    until(heirs, "two new recordings in the place of the old")
    assert ask(url) not in before
