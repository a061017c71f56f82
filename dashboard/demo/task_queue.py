"""The task queue: Celery, with a worker process of its own.

The broker is a folder of this session by default, or Redis when `LOOPSCOPE_REDIS`
names one. The worker is started with the first task, and ends with the demo app.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from celery import Celery

from dashboard.demo import lifeline
from dashboard.demo.work import work
from dashboard.ring import default_directory

FOLDER = "LOOPSCOPE_QUEUE"
_PREFIX = "queue-"
_starting = threading.Lock()
_worker: subprocess.Popen[bytes] | None = None


def _folder() -> Path:
    """Return where tasks lie: the worker is told, the demo app decides."""
    told = os.environ.get(FOLDER)
    return Path(told) if told else default_directory() / f"{_PREFIX}{os.getpid()}"


def _make_app() -> Celery:
    url = os.environ.get("LOOPSCOPE_REDIS")
    if url:
        return Celery("loopscope", broker=url, backend=url)
    folder = _folder()
    app = Celery(
        "loopscope", broker="filesystem://", backend=f"file://{folder}/results"
    )
    app.conf.broker_transport_options = {
        # What we put in is what the worker takes out.
        "data_folder_in": str(folder / "in"),
        "data_folder_out": str(folder / "in"),
        "processed_folder": str(folder / "done"),
        "control_folder": str(folder / "done"),
        "polling_interval": 0.05,
    }
    return app


app = _make_app()
app.conf.update(
    result_expires=600,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # A Redis may serve several of us: each its own queue.
    task_default_queue=_folder().name,
)


@app.task(name="loopscope.compute")  # type: ignore[untyped-decorator]
def compute(seconds: float) -> dict[str, object]:
    """Do the work, in the worker process."""
    return {"rounds": work(seconds), "pid": os.getpid()}


def put(seconds: float) -> str:
    """Put work into the queue; return the task's id."""
    with _starting:
        _start_worker()
    queued: Any = compute.delay(seconds)
    return str(queued.id)


def look_up(task_id: str) -> dict[str, object]:
    """Return the task's state, and its result if it is there."""
    result: Any = app.AsyncResult(task_id)
    ready = result.ready()
    return {"state": result.state, "result": result.result if ready else None}


def serve() -> None:
    """Empty the queue, in a process of its own, until the demo app is gone."""
    lifeline.end_with_stdin()
    worker: Any = app.Worker(
        pool="solo",
        loglevel="ERROR",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()


def _start_worker() -> None:
    global _worker
    if _worker is not None and _worker.poll() is None:
        return
    folder = _folder()
    if _worker is None:
        _remove_left(folder.parent)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("in", "done", "results"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    # Its warnings are about servers on the internet; this one is for a minute.
    command = [sys.executable, "-W", "ignore", "-c"]
    _worker = subprocess.Popen(
        [*command, f"from {__name__} import serve; serve()"],
        # Held open, never written: its end is how the worker learns of ours.
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | {FOLDER: str(folder)},
    )


def _remove_left(parent: Path) -> None:
    """Remove the folders of demo apps that were ended by force."""
    for left in parent.glob(f"{_PREFIX}*"):
        try:
            os.kill(int(left.name.removeprefix(_PREFIX)), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (ValueError, PermissionError):
            continue
