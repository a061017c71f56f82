"""What a machine can run out of, and clocks that jump: said, survived, and over."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pressing import Product, ask, wait_for

from dashboard.ring import create_ring
from dashboard.ring.folder import remove_stale
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import SCAN_EVERY_NS, Follower
from dashboard.server.session import Session

#: So long that whoever did not take notice would call it a stall.
ASLEEP_S = 2
CROWD = 200

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="limits of another process need Linux"
)


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """A real dashboard with a real demo app, which is up."""
    product = Product(tmp_path_factory.mktemp("rings"))
    product.press("fast")
    yield product
    product.stop()


@pytest.fixture
def limit():
    """Limit a process; afterwards it may have what it could have before."""
    with ExitStack() as stack:

        def limit(pid, what, most):
            before = resource.prlimit(pid, what)
            resource.prlimit(pid, what, (most, before[1]))
            stack.callback(resource.prlimit, pid, what, before)

        yield limit


def demo_pid(product):
    """Return the process of the demo app."""
    (loop,) = (
        loop for loop in product.get("/api/state")["loops"] if loop["state"] != "ended"
    )
    return loop["pid"]


def connect(url):
    """Open a connection to a server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=40)


class Viewer:
    """One that reads the stream, and numbers its frames."""

    def __init__(self, url, *, window=None):
        parts = urlsplit(url)
        self.socket = socket.socket()
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(40)
        self.socket.connect((parts.hostname, parts.port))
        self.socket.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read(self, frames):
        """Read until so many frames are there; return their numbers."""
        while (
            len(
                found := re.findall(
                    rb"\nevent: frame\ndata: \{\"seq\":(\d+)", self._data
                )
            )
            < frames
        ):
            piece = self.socket.recv(1 << 16)
            assert piece, "the stream ended"
            self._data += piece
        return [int(number) for number in found]


def test_no_descriptors_left(product, limit):
    """A dashboard without a descriptor to give serves those inside, and others later."""
    url, pid = product.url, product.process.pid
    with ExitStack() as stack:
        viewer = stack.enter_context(Viewer(product.url))
        viewer.read(1)
        open_now = len(os.listdir(f"/proc/{pid}/fd"))
        limit(pid, resource.RLIMIT_NOFILE, open_now + 8)
        for _ in range(40):
            stack.enter_context(connect(url))
        wait_for(
            lambda: len(os.listdir(f"/proc/{pid}/fd")) >= open_now + 8,
            "the last descriptor to be taken",
        )
        numbers = viewer.read(40)
    wait_for(lambda: answers(f"{url}/healthz"), "a new connection to be served")

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def answers(url):
    """Say whether somebody answers."""
    try:
        return ask(url) == {"status": "ok"}
    except OSError:
        return False


def test_no_memory_left(product, limit):
    """A demo app that gets no memory says so, lives, and is recorded as before."""
    pid = demo_pid(product)
    status = Path(f"/proc/{pid}/status").read_text()
    has_bytes = int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) * 1024
    limit(pid, resource.RLIMIT_AS, has_bytes + (40 << 20))
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(f"{product.demo_url}/write_bad?num_chars=100000000")
    with caught.value as answer:
        sentence = json.load(answer)["detail"]

    assert caught.value.code == 507
    assert sentence.startswith("the system refused it: out of memory")
    assert ask(f"{product.demo_url}/fast") == {"message": "This is fast!"}
    wait_for(
        lambda: (
            [
                request["status"]
                for request in product.get("/api/state")["requests"]
                if request["route"] == "/write_bad"
            ]
            == [507]
        ),
        "the refused request in the table",
    )


def test_viewer_that_never_reads(product):
    """Beside a viewer that takes nothing another one misses no frame."""
    with Viewer(product.url, window=4096), Viewer(product.url) as viewer:
        numbers = viewer.read(100)

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_machine_sleeps(product):
    """What was asleep as a whole goes on: no frame is missing, no step is blamed."""
    pids = (demo_pid(product), product.process.pid)
    with Viewer(product.url) as viewer:
        viewer.read(1)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(ASLEEP_S)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        numbers = viewer.read(40)
    outcome = product.outcome("fast")
    state = product.get("/api/state")

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert outcome["trouble"] == ""
    assert [loop["state"] for loop in state["loops"] if loop["state"] == "frozen"] == []
    blamed = [stall for stall in state["stalls"] if not stall["starved"]]
    assert [each for each in blamed if each["duration_ms"] >= ASLEEP_S * 1000] == []


def test_two_hundred_come_back(product):
    """Two hundred pages that all come back at once are served, and no other is hurt."""
    with Viewer(product.url) as viewer:
        with ExitStack() as stack:
            crowd = [stack.enter_context(Viewer(product.url)) for _ in range(CROWD)]
            shown = [len(each.read(1)) for each in crowd]
        numbers = viewer.read(60)

    assert min(shown) >= 1
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize("years", [-30, 30])
def test_clock_is_set(tmp_path, monkeypatch, years):
    """A wall clock that jumps ends no recording and moves nothing on the timeline."""
    now_ns = time.monotonic_ns()
    session = Session(origin_ns=now_ns)
    follower = Follower(rings_in(tmp_path / "rings"), session, now_ns=lambda: now_ns)
    create_ring(kind="asyncio", title="shop", loop_no=1, directory=tmp_path / "rings")
    follower.poll()
    jump_s = years * 365 * 86_400
    wall = time.time
    monkeypatch.setattr("time.time", lambda: wall() + jump_s)
    monkeypatch.setattr("time.time_ns", lambda: int((wall() + jump_s) * 1e9))
    for _ in range(5):
        now_ns += SCAN_EVERY_NS
        follower.poll()
    follower.close()

    (loop,) = session.describe_loops(now_ns)
    assert loop["state"] != "ended"
    assert remove_stale(tmp_path / "rings") == 0
