"""Break whatever can be broken, at random, and see that nothing is unaccounted for.

An app serves requests and is recorded; a dashboard watches; faults come one by one.
The oracle: each request that the app answered is drawn, or the records that were lost
since the fault before are counted and are no fewer, or a sentence names the ring that
is read no further. Nothing is drawn that was not asked. And the app answers every
request, and the dashboard is there, unless it was they who were killed or stopped.

Of two kinds of app nothing is asked, and they are counted apart: where no ring could
be made, which the app has to say; and where the ring was deleted while no dashboard
had it open, which nobody can know of.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dashboard.records import RECORD_BYTES
from dashboard.ring.layout import CELLS_AT, HEADER, STRINGS_AT, STRINGS_BYTES

ROOT = Path(__file__).parents[1]
APP = """
import asyncio, json, os
from dashboard import observe

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await asyncio.sleep(0.001)
    body = json.dumps(os.getpid()).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})

app = observe(app)
"""
#: `/api/state` tells of the last 200 requests; an app that has served more is replaced.
MAX_ANSWERS = 150
BATCH = 12
#: Of a machine that has much else to do; only a broken promise waits so long.
PATIENCE_S = 100
POLL_S = 0.02
STOPPED_S = 0.15
#: Some frames of a dashboard that gets its turn.
SETTLED_S = 0.5
RECORDS_AT = STRINGS_AT + STRINGS_BYTES


class Unaccounted(AssertionError):
    """The oracle's objection: what was promised and did not hold."""


class App:
    """One life of the observed app: a process, and what it answered."""

    def __init__(self, folder: Path, port: int, *, is_full: bool) -> None:
        self.is_full = is_full
        self.asked = self.answers = 0
        self.lost = self.missed = 0
        """Answers that are accounted for by a loss, and the records counted by then."""
        self.is_deleted = False
        """Its ring has no name any more; who has it open follows it still."""
        self.was_unread = False
        """It was deleted when nobody had it open."""
        self.log = folder / f"app-{time.monotonic_ns()}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn", "chaotic:app"),
                    *("--port", str(port), "--log-level", "warning"),
                ],
                cwd=folder,
                env=os.environ
                | {"LOOPSCOPE_DIR": str(folder / "rings"), "PYTHONPATH": str(ROOT)},
                stderr=log,
            )
        if is_full:
            # No file may grow: what a full disk is to who wants to reserve a ring.
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))

    def end(self, number: int) -> None:
        """End it by a signal; wait until it has."""
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(PATIENCE_S)


class Chaos:
    """Everything, and the faults that can happen to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rings = folder / "rings"
        self.random = random.Random(seed)
        self.faults = 0
        self.accounted = 0
        self.counts: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        (folder / "chaotic.py").write_text(APP)
        self.app_port, self.page_port = _free_port(), _free_port()
        self._senders = ThreadPoolExecutor(4)
        self._stuck: list[socket.socket] = []
        self._is_full = False
        self._errors = (folder / "dashboard.log").open("ab")
        self.dashboard = self._start_dashboard()
        self.app = self._start_app()

    def __repr__(self) -> str:
        return (
            f"<Chaos {self.faults} faults, {self.accounted} answers accounted for: "
            f"{', '.join(f'{n} times {what}' for what, n in self.verdicts.items())}>"
        )

    def close(self) -> None:
        """End everything."""
        self._senders.shutdown(cancel_futures=True)
        for each in self._stuck:
            each.close()
        for process in (self.app.process, self.dashboard):
            process.kill()
            process.wait(PATIENCE_S)
        self._errors.close()

    # ------------------------------------------------------------------ a round

    def strike(self) -> None:
        """Send requests, let one fault happen meanwhile, and ask the oracle."""
        fault = self.random.choice(FAULTS)
        name = fault.__name__.removeprefix("_")
        self.faults += 1
        self.counts[name] += 1
        app = self.app
        app.asked += BATCH
        sending = [self._senders.submit(self._ask) for _ in range(BATCH)]
        fault(self)
        pids = [each.result() for each in sending]
        app.answers += pids.count(app.process.pid)
        if app is not self.app:
            if not list(self.rings.glob(f"{app.process.pid}-*.ring")):
                # Who comes after it, and finds no room, deletes what has ended.
                app.was_unread = True
            # Some found the one that came after it.
            self.app.asked += BATCH
            self.app.answers += pids.count(self.app.process.pid)
        if app is self.app and len([pid for pid in pids if pid]) != BATCH:
            raise Unaccounted(f"after {name} the app did not answer all of {BATCH}")
        self._judge(app, name)
        if app is not self.app or app.answers > MAX_ANSWERS:
            self._replace_app(signal.SIGKILL)

    def _ask(self) -> int:
        """Send one request; return the pid in the answer, 0 if there is none."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.app_port, timeout=PATIENCE_S
        )
        try:
            connection.request("GET", f"/{'x' * 8}?secret=1")
            return int(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0
        finally:
            connection.close()

    def _judge(self, app: App, fault: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until all that the app answered is accounted for, or object."""
        deadline = time.monotonic() + patience_s
        while (verdict := self._verdict(app, self._state())) is None:
            if time.monotonic() > deadline:
                raise Unaccounted(self._objection(app, fault))
            time.sleep(POLL_S)
        self.verdicts[verdict] += 1
        self.accounted = self.accounted + BATCH
        errors = (self.folder / "dashboard.log").read_text()
        if "Traceback" in errors:
            raise Unaccounted(f"after {fault} the dashboard wrote:\n{errors}")

    def _verdict(self, app: App, state: dict) -> str | None:
        """Say how all that the app answered is accounted for; None: it is not yet."""
        pid = app.process.pid
        drawn, missed = _account(state, pid)
        if drawn > app.asked:
            raise Unaccounted(f"{pid} was asked {app.asked} times, {drawn} are drawn")
        if app.is_full:
            said = app.log.read_text().count("not recording: cannot create a ring")
            return "no room for a ring, and said so" if said == 1 else None
        lacking = app.answers - drawn - app.lost
        if lacking <= 0:
            return "drawn"
        if any(notice.startswith(f"{pid}-") for notice in state["notices"]):
            return "its ring is told to be read no further"
        if lacking <= missed - app.missed and self._is_settled(pid, drawn):
            app.lost, app.missed = app.lost + lacking, missed
            return "counted as lost"
        return "its ring was deleted unread" if app.was_unread else None

    def _is_settled(self, pid: int, drawn: int) -> bool:
        """Say whether nothing more is drawn of a process after a moment."""
        time.sleep(SETTLED_S)
        return _account(self._state(), pid)[0] == drawn

    def _objection(self, app: App, fault: str) -> str:
        state = self._state()
        drawn, missed = _account(state, app.process.pid)
        return (
            f"after {fault}: process {app.process.pid} answered {app.answers} requests, "
            f"{drawn} are drawn, {app.lost} were lost before, and of {missed} records "
            f"that are counted as lost {app.missed} were then; "
            f"notices {state['notices']}, loops {state['loops']}"
        )

    def _state(self) -> dict:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.page_port, timeout=PATIENCE_S
            )
            try:
                connection.request("GET", "/api/state")
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise Unaccounted(f"/api/state answered {answer.status}: {body!r}")
                return json.loads(body)
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    raise Unaccounted(
                        f"the dashboard does not answer:\n{self._where_it_is()}"
                    ) from error
                time.sleep(POLL_S)
            finally:
                connection.close()

    def _where_it_is(self) -> str:
        """End a dashboard that is stuck, so that it says in which line."""
        self.dashboard.send_signal(signal.SIGABRT)
        self.dashboard.wait(PATIENCE_S)
        return (self.folder / "dashboard.log").read_text()[-3000:]

    # ------------------------------------------------------------- starting again

    def _start_app(self) -> App:
        app = App(self.folder, self.app_port, is_full=self._is_full)
        self._is_full = False
        _wait_listening(self.app_port, app.process)
        return app

    def _start_dashboard(self) -> subprocess.Popen:
        process = subprocess.Popen(
            [
                *(sys.executable, "-X", "faulthandler"),
                *("-m", "dashboard", "watch"),
                *("--port", str(self.page_port)),
            ],
            env=os.environ
            | {"LOOPSCOPE_DIR": str(self.rings), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        _wait_listening(self.page_port, process)
        return process

    def _replace_app(self, number: int) -> None:
        if self.app.process.poll() is None:
            self.app.end(number)
        self.app = self._start_app()

    def _ring(self) -> Path | None:
        """Return the living app's ring, if it has one."""
        found = sorted(self.rings.glob(f"{self.app.process.pid}-*.ring"))
        return found[-1] if found else None

    # ------------------------------------------------------------------- faults

    def _kill_app(self) -> None:
        self._replace_app(signal.SIGKILL)

    def _end_app(self) -> None:
        self._replace_app(signal.SIGTERM)

    def _stop_app(self) -> None:
        self.app.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        self.app.process.send_signal(signal.SIGCONT)

    def _kill_dashboard(self) -> None:
        self.dashboard.kill()
        self.dashboard.wait(PATIENCE_S)
        app = self.app
        # The next one begins with what is there, and counts anew.
        app.lost = app.missed = 0
        app.was_unread = app.was_unread or app.is_deleted
        self.dashboard = self._start_dashboard()

    def _stop_dashboard(self) -> None:
        self.dashboard.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        self.dashboard.send_signal(signal.SIGCONT)

    def _corrupt_records(self) -> None:
        # Whole slots: a record that is changed but keeps its tag cannot be told.
        slots = self.random.choice([1, 7, 500, 20_000])
        first = self.random.randrange(0, 3000)
        size = RECORD_BYTES * slots - self.random.choice([0, 8, 24])
        at = RECORDS_AT + RECORD_BYTES * (first + slots) - size
        self._overwrite(at, self.random.randbytes(size))

    def _corrupt_strings(self) -> None:
        at = self.random.randrange(STRINGS_AT, RECORDS_AT - 100)
        self._overwrite(at, self.random.randbytes(100))

    def _corrupt_cells(self) -> None:
        cell = CELLS_AT + 8 * self.random.randrange(0, 20)
        self._overwrite(cell, self.random.randbytes(8))

    def _corrupt_header(self) -> None:
        self._overwrite(0, self.random.randbytes(HEADER.size))

    def _overwrite(self, at: int, data: bytes) -> None:
        ring = self._ring()
        if ring is not None:
            with ring.open("r+b") as file:
                file.seek(at)
                file.write(data)

    def _delete_ring(self) -> None:
        ring = self._ring()
        if ring is not None:
            self._before_deletion()
            ring.unlink()

    def _delete_folder(self) -> None:
        self._before_deletion()
        shutil.rmtree(self.rings, ignore_errors=True)

    def _before_deletion(self) -> None:
        pid = self.app.process.pid
        # One that was damaged is told to be read no further while it has its name.
        is_read = any(
            loop["pid"] == pid and loop["state"] != "ended"
            for loop in self._state()["loops"]
        )
        self.app.is_deleted = True
        self.app.was_unread = self.app.was_unread or not is_read

    def _truncate_ended(self) -> None:
        # A living one would take its program with it: a mapped page is gone.
        for ring in self.rings.glob("*.ring"):
            if not ring.name.startswith(f"{self.app.process.pid}-"):
                with suppress(OSError):
                    os.truncate(ring, self.random.randrange(0, 9_000_000))

    def _litter(self) -> None:
        self.rings.mkdir(mode=0o700, exist_ok=True)
        at = self.rings / f"{self.random.randrange(10**6)}-1-{self.faults}.ring"
        match self.random.randrange(5):
            case 0:
                at.write_bytes(self.random.randbytes(self.random.randrange(10_000)))
            case 1:
                at.symlink_to("/dev/zero")
            case 2:
                os.mkfifo(at)
            case 3:
                at.mkdir()
            case _:
                ring = self._ring()
                if ring is not None:
                    data = bytearray(ring.read_bytes())
                    del data[self.random.randrange(1, len(data)) :]
                    at.write_bytes(data)
        for old in sorted(self.rings.glob("*-1-*.ring"))[:-20]:
            if old.is_symlink() or old.stat().st_size < 10_000:
                with suppress(OSError):
                    old.rmdir() if old.is_dir() else old.unlink()

    def _fill_disk(self) -> None:
        self._is_full = True
        self._kill_app()

    def _herd(self) -> None:
        """Fifty viewers at once; one of them stays and never reads."""
        herd = []
        for _ in range(50):
            viewer = socket.socket()
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            viewer.settimeout(PATIENCE_S)
            viewer.connect(("127.0.0.1", self.page_port))
            viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            herd.append(viewer)
        for viewer in herd:
            viewer.recv(1)
        self._stuck.append(herd.pop())
        for viewer in (*herd, *self._stuck[:-3]):
            viewer.close()


FAULTS = (
    Chaos._kill_app,
    Chaos._end_app,
    Chaos._stop_app,
    Chaos._kill_dashboard,
    Chaos._stop_dashboard,
    Chaos._corrupt_records,
    Chaos._corrupt_strings,
    Chaos._corrupt_cells,
    Chaos._corrupt_header,
    Chaos._delete_ring,
    Chaos._delete_folder,
    Chaos._truncate_ended,
    Chaos._litter,
    Chaos._fill_disk,
    Chaos._herd,
)


def _account(state: dict, pid: int) -> tuple[int, int]:
    """Return how many finished requests of a process are drawn, and records it lost."""
    loops = {loop["id"]: loop for loop in state["loops"] if loop["pid"] == pid}
    drawn = sum(
        request["loop"] in loops and request["end_ns"] is not None
        for request in state["requests"]
    )
    return drawn, sum(loop["missed"] for loop in loops.values())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait_listening(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
            return
        if process.poll() is not None:
            raise Unaccounted(f"{process.args} ended by itself: {process.returncode}")
        time.sleep(POLL_S)
    raise Unaccounted(f"nobody listens on port {port}")
