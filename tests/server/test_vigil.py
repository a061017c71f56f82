"""Real processes that fall silent: held by C code, frozen, with others at the door."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboard.records import Cell
from dashboard.ring import RingReader
from dashboard.server.reading import process
from dashboard.server.reading.folders import rings_in
from dashboard.server.reading.read import Follower
from dashboard.server.session import Session

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self/task"), reason="this system has no /proc"
)

PROGRAM = """
import asyncio, socket, sys, threading, time
import dashboard

def held():
    sum(range(10**12))

def brief():
    sum(range(10**8))

def burn():
    end = time.thread_time() + 0.04
    while time.thread_time() < end:
        pass

def asleep():
    time.sleep(10**6)

async def main():
    door = socket.create_server(("127.0.0.1", 0))
    print(door.getsockname()[1], flush=True)
    await asyncio.sleep(0.3)
    calls = {"held": held, "brief": brief, "asleep": asleep, "burn": burn}
    call = calls.get(sys.argv[1], lambda: None)
    call()
    while True:
        await asyncio.sleep(0.005)
        if call is burn:
            burn()

def run():
    with asyncio.Runner() as runner, dashboard.record(runner.get_loop()):
        runner.run(main())

if sys.argv[2] == "main":
    run()
else:
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
"""


class Observed:
    """A recorded program in a process of its own, and a session that follows it."""

    def __init__(self, folder, *how, **options):
        script = folder / "shop.py"
        script.write_text(PROGRAM)
        rings = folder / "rings"
        env = os.environ | {"PYTHONPATH": str(ROOT), "LOOPSCOPE_DIR": str(rings)}
        env.pop("PYTHONFAULTHANDLER", None)
        self.process = subprocess.Popen(
            [sys.executable, str(script), *how], env=env, stdout=subprocess.PIPE
        )
        self.port = int(self.process.stdout.readline())
        self.session = Session(origin_ns=0)
        self.follower = Follower(rings_in(rings), self.session, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.follower.close()

    def until(self, condition, what):
        """Follow until a condition holds of the loop as the wire shows it."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            self.follower.poll()
            loops = self.session.describe_loops(time.monotonic_ns())
            if loops and condition(loops[0]):
                return loops[0]
            assert self.process.poll() is None, "the observed program died"
            time.sleep(0.01)
        pytest.fail(f"{what} within 30 s; the loop is {loops}")

    def look(self, times=100):
        """Follow for some looks; return the loop as the wire shows it."""
        for _ in range(times):
            self.follower.poll()
            time.sleep(0.005)
        return self.session.describe_loops(time.monotonic_ns())[0]


@pytest.mark.parametrize("thread", ["main", "other"])
def test_c_call_is_named_while_it_lasts(tmp_path, thread):
    """The line of a C call that never returns is known, by one signal, and the program
    lives."""
    with Observed(tmp_path, "held", thread) as observed:
        loop = observed.until(lambda loop: loop["culprit"], "no line")
        later = observed.look()

    assert (loop["state"], loop["held"]) == ("blocked", True)
    assert loop["culprit"]["function"] == "held"
    assert loop["culprit"]["file"] == str(tmp_path / "shop.py")
    assert later["dumps"] == {"sent": 1, "refusal": ""}
    (stall,) = observed.session.stalls.kept
    assert [line["function"] for line in stall.describe()["stack"]] == ["held", "main"]


def test_sleep_needs_no_signal(tmp_path):
    """A call that lets go of the lock is named by the watchdog, without a signal."""
    with Observed(tmp_path, "asleep", "main") as observed:
        loop = observed.until(lambda loop: loop["culprit"], "no line")
        later = observed.look()

    assert loop["culprit"]["function"] == "asleep"
    assert (later["held"], later["dumps"]["sent"]) == (False, 0)


def test_healthy_loop_gets_no_signal(tmp_path):
    """A loop that works is never asked."""
    with Observed(tmp_path, "idle", "main") as observed:
        observed.until(lambda loop: loop["state"] != "ended", "no loop")
        loop = observed.look(200)

    assert loop["dumps"] == {"sent": 0, "refusal": ""}


def test_not_allowed_by_the_dashboard(tmp_path):
    """With dumps switched off a C call is known to hold the lock, and no signal sent."""
    with Observed(tmp_path, "held", "main", allow_dumps=False) as observed:
        observed.until(lambda loop: loop["held"], "no held lock")
        loop = observed.look()

    assert (loop["state"], loop["culprit"]) == ("blocked", None)
    assert loop["dumps"] == {"sent": 0, "refusal": "switched off in the dashboard"}


def test_without_a_signal_the_line_comes_when_the_call_returns(tmp_path):
    """Where none may be sent the watchdog in the process names the C call, once it can
    run again."""
    with Observed(tmp_path, "brief", "main", allow_dumps=False) as observed:
        observed.until(lambda loop: loop["held"], "no held lock")
        observed.until(lambda loop: loop["state"] != "blocked", "no end")
        loop = observed.look(20)
    (stall,) = observed.session.stalls.kept

    assert (stall.over, stall.culprit.function) == (True, "brief")
    assert loop["dumps"]["sent"] == 0


def test_no_processor_for_it(tmp_path):
    """A step that is long only because other programs have its processor blames no line,
    and the machine is found to be too busy."""
    me = os.getpid()
    if process.wait_of_thread(me, me) < 0 or not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not tell")
    processor = min(os.sched_getaffinity(0))
    hog = f"import os\nos.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    with Observed(tmp_path, "burn", "main") as observed:
        hogs = [subprocess.Popen([sys.executable, "-c", hog]) for _ in range(2)]
        try:
            os.sched_setaffinity(observed.process.pid, {processor})
            # They come first.
            priority = os.getpriority(os.PRIO_PROCESS, 0) + 5
            os.setpriority(os.PRIO_PROCESS, observed.process.pid, min(19, priority))
            kept = observed.session.stalls.kept
            observed.until(
                lambda _: any(stall.over and stall.is_starved for stall in kept),
                "no step that waited for a processor",
            )
        finally:
            for each in hogs:
                each.kill()
                each.wait()
    observed.session.look(time.monotonic_ns(), {})
    findings = observed.session.findings

    stall = next(stall for stall in kept if stall.is_starved)
    assert stall.culprit is None
    assert findings.answers["busy_machine"] == "yes"


@pytest.mark.parametrize("how", ["idle", "held"])
def test_frozen(tmp_path, how):
    """A stopped process is frozen, neither idle nor blocked; then it goes on as before."""
    with Observed(tmp_path, how, "main") as observed:
        wanted = {"idle": ("idle", "running"), "held": ("blocked",)}[how]
        observed.until(lambda loop: loop["state"] in wanted, "no start")
        if how == "held":
            observed.until(lambda loop: loop["dumps"]["sent"], "no dump")
        began_ns = time.monotonic_ns()
        observed.look(1)
        before = [stall.duration_ns for stall in observed.session.stalls.kept]
        os.kill(observed.process.pid, signal.SIGSTOP)
        observed.until(lambda loop: loop["state"] == "frozen", "no freezing")
        # A busy machine takes its time to stop it.
        ran_ns = time.monotonic_ns() - began_ns
        frozen = observed.look(60)
        began_ns = time.monotonic_ns()
        os.kill(observed.process.pid, signal.SIGCONT)
        observed.until(lambda loop: loop["state"] in wanted, "no thaw")
        thawed = observed.look(20)
        after = [stall.duration_ns for stall in observed.session.stalls.kept]
        ran_ns += time.monotonic_ns() - began_ns

    assert frozen["frozen_ms"] > 0
    assert thawed["frozen_ms"] == 0
    # Neither was the time in which it stood still any step's, nor was it signalled.
    # (On a busy machine its start may have been one, too.)
    assert len(before) == len(after) >= (how == "held")
    grown = [new - old for old, new in zip(before, after, strict=True)]
    assert max(grown, default=0) <= ran_ns
    assert thawed["dumps"]["sent"] == (how == "held")


def test_others_at_the_door(tmp_path):
    """Requests that the blocked loop has not seen are victims, counted in the kernel."""
    with Observed(tmp_path, "asleep", "main") as observed:
        observed.until(lambda loop: loop["state"] == "blocked", "no block")
        clients = [
            socket.create_connection(("127.0.0.1", observed.port)) for _ in range(3)
        ]
        try:
            for client in clients:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            observed.until(lambda loop: loop["door"] == 3, "not three at the door")
            observed.look(10)
        finally:
            for client in clients:
                client.close()
    (stall,) = observed.session.stalls.kept
    told = stall.victims.to_wire()

    assert (told["count"], told["door"]) == (3, 3)
    assert told["delay_ms"] > 0


def test_a_look_at_the_door_that_outlasts_its_step_counts_nobody(tmp_path, monkeypatch):
    """What is counted when the loop may have emptied its door already is not believed."""
    late, counted = [], []
    read_cells = RingReader.read_cells

    def count(*_):
        counted.append(len(counted) < 3)
        if counted[-1]:
            return 3
        late.append(True)
        return 0

    def cells(reader):
        found = read_cells(reader)
        return found | {Cell.OWNER: 0} if late and late.pop() else found

    monkeypatch.setattr(process, "count_arrived", count)
    monkeypatch.setattr(RingReader, "read_cells", cells)
    with Observed(tmp_path, "asleep", "main") as observed:
        observed.until(lambda _: len(counted) > 5, "no look at the door")
        loop = observed.look(1)

    assert loop["door"] == 3


def test_who_was_sent_just_now_is_counted_once(tmp_path, monkeypatch):
    """A request of ours that the kernel has and the model does not know yet is told to
    it before anybody is called unannounced."""
    going_out, counted = [1, 2, 3], []

    def count(*_):
        counted.append(len(going_out))
        return 3

    def tell_sent():
        while counted and going_out:
            observed.session.requests.sent(
                going_out.pop(),
                time.monotonic_ns(),
                method="GET",
                path="/fast",
                scenario="fast",
                loop=1,
            )

    monkeypatch.setattr(process, "count_arrived", count)
    with Observed(tmp_path, "asleep", "main", before_feed=tell_sent) as observed:
        observed.until(lambda loop: loop["state"] == "blocked", "no block")
        observed.until(lambda loop: len(counted) > 3, "no look at the door")
    (stall,) = observed.session.stalls.kept
    told = stall.victims.to_wire()

    assert counted[0] == 3, "they were told before they were counted"
    assert (told["count"], told["door"]) == (3, 0)
