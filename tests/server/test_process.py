"""What the kernel tells of a process is read as it is, or known to be missing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from dashboard.server.reading import process

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self/task"), reason="this system has no /proc"
)
NOBODY = 2**22 + 1


def until(condition, what):
    """Wait until a condition holds."""
    for _ in range(5000):
        if condition():
            return
        threading.Event().wait(0.002)
    pytest.fail(f"{what} within 10 s")


def test_thread():
    """A thread that works is seen to work, one that waits to sleep."""
    door = threading.Event()
    sleeper = threading.Thread(target=door.wait)
    sleeper.start()
    try:
        pid = os.getpid()
        me = process.look_at_thread(pid, threading.get_native_id())
        until(
            lambda: process.look_at_thread(pid, sleeper.native_id).state == "S",
            "no sleep of a waiting thread",
        )
        assert me.state == "R"
        assert me.cpu_ns > 0
        assert process.count_turns(pid, sleeper.native_id) > 0
    finally:
        door.set()
        sleeper.join()


def test_wait_for_a_processor():
    """A thread beside which others want its only processor is seen to have waited."""
    hog = "import os\nos.sched_setaffinity(0, {int(input())})\nwhile True: pass"
    processor = min(os.sched_getaffinity(0))
    pid = os.getpid()
    if process.wait_of_thread(pid, pid) < 0:
        pytest.skip("this system does not tell")
    hogs = [
        subprocess.Popen([sys.executable, "-c", hog], stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        before = process.wait_of_thread(hogs[0].pid, hogs[0].pid)
        for each in hogs:
            each.stdin.write(f"{processor}\n".encode())
            each.stdin.flush()
        until(
            lambda: process.wait_of_thread(hogs[0].pid, hogs[0].pid) > before + 10**7,
            "no wait",
        )
    finally:
        for each in hogs:
            each.kill()
            each.communicate()


def test_signals():
    """Which signals are handled and held back is seen, one bit each."""
    number = signal.SIGRTMAX - 9
    bit = 1 << (number - 1)
    pid, thread = os.getpid(), threading.get_native_id()

    before = process.look_at_thread(pid, thread)
    old = signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        while_handled = process.look_at_thread(pid, thread)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.signal(number, old)

    assert (before.caught & bit, before.held_back & bit) == (0, 0)
    assert (while_handled.caught & bit, while_handled.held_back & bit) == (bit, bit)


def test_nobody():
    """Of a process that is not there nothing is known, and that is no error."""
    assert process.look_at_thread(NOBODY, NOBODY) is None
    assert process.count_turns(NOBODY, NOBODY) == -1
    assert process.wait_of_thread(NOBODY, NOBODY) == -1
    assert process.is_stopped(NOBODY) is False
    assert process.sockets_of(NOBODY) == frozenset()
    assert process.doors_of(NOBODY, frozenset()) == {}
    assert process.count_arrived(NOBODY, frozenset(), {"tcp": frozenset({"1F90"})}) == 0


def test_stopped():
    """A process that was stopped is told from one that goes on."""
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.is_stopped(child.pid) is False
        os.kill(child.pid, signal.SIGSTOP)
        until(lambda: process.is_stopped(child.pid), "no stop of a stopped process")
        os.kill(child.pid, signal.SIGCONT)
        until(lambda: not process.is_stopped(child.pid), "no end of a stop")
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize(
    ("family", "host"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")]
)
def test_arrived(family, host):
    """Requests count from their first byte on, accepted or not, and until they are read."""
    pid = os.getpid()
    with socket.socket(getattr(socket, family)) as door:
        try:
            door.bind((host, 0))
        except OSError:
            pytest.skip("no such network here")
        door.listen()
        sockets = process.sockets_of(pid)
        doors = process.doors_of(pid, sockets)
        port = f"{door.getsockname()[1]:04X}"
        assert any(port in ports for ports in doors.values())
        doors = {table: ports & {port} for table, ports in doors.items()}

        def count():
            return process.count_arrived(pid, process.sockets_of(pid), doors)

        clients = [socket.create_connection(door.getsockname()[:2]) for _ in range(3)]
        try:
            silent = count()
            for client in clients[:2]:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            until(lambda: count() == 2, f"{count()} arrived, not 2,")
            accepted = [door.accept()[0] for _ in range(3)]
            kept = count()
            clients[2].close()
            for one in accepted:
                one.setblocking(False)
            accepted[0].recv(100)
            until(lambda: count() == 1, f"{count()} arrived, not 1,")
            for one in accepted:
                one.close()
        finally:
            for client in clients:
                client.close()

    assert (silent, kept) == (0, 2)


def test_arrived_in_a_table_that_changes(monkeypatch):
    """A connection that the kernel tells twice, as others come meanwhile, counts once."""
    told = "{}: 0100007F:1F90 0100007F:{} 01 00000000:00000072 00:00000000 0 0 0 {}"
    rows = [told.format(n, port, n).split() for n, port in enumerate(["C001", "C002"])]
    monkeypatch.setattr(process, "_rows", lambda pid, table: [*rows, rows[1]])

    doors = {"tcp": frozenset({"1F90"})}
    assert process.count_arrived(NOBODY, frozenset({"0", "1"}), doors) == 2
