"""Stories with real servers of others: PostgreSQL and Redis, started for the test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from pressing import ask, wait_for

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def free_port():
    """Return a port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL server of its own; its URL."""
    if not POSTGRES:
        pytest.skip("no PostgreSQL server here: install postgresql")
    programs = POSTGRES[-1]
    # It refuses to run as root.
    user = {"user": "nobody"} if os.geteuid() == 0 else {}
    data = tmp_path / "postgres"
    data.mkdir()
    if user:
        for folder in (data, *list(data.parents)[:-2]):
            folder.chmod(0o755)
        shutil.chown(data, "nobody")
    port = free_port()
    subprocess.run(
        [
            programs / "initdb",
            *("--pgdata", data, "--auth=trust", "--username=me", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        cwd="/",
        **user,
    )
    server = subprocess.Popen(
        [
            programs / "postgres",
            *("-D", data, "-p", str(port), "-k", ""),
            *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
        ],
        stderr=subprocess.DEVNULL,
        cwd="/",
        **user,
    )
    wait_for(lambda: listens(port), "PostgreSQL to listen")
    yield f"postgresql://me@127.0.0.1:{port}/postgres"
    server.send_signal(signal.SIGINT)
    server.wait(20)


@pytest.fixture
def redis(tmp_path):
    """A Redis server of its own; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis server here: install redis-server")
    port = free_port()
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    wait_for(lambda: listens(port), "Redis to listen")
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(20)


def listens(port):
    """Say whether a server takes connections."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_postgres(start, postgres):
    """Story 12: psycopg's sync connection holds the loop for a query, asyncpg does not."""
    pytest.importorskip("psycopg", reason="pip install 'loopscope[postgres]'")
    pytest.importorskip("asyncpg", reason="pip install 'loopscope[postgres]'")
    product = start(LOOPSCOPE_POSTGRES=postgres)

    sync = product.press("postgres_sync", seconds=0.4)["facts"]
    free = product.press("postgres_async", seconds=0.4)["facts"]

    assert sync["culprit_function"] == "postgres_sync"
    assert sync["wall_ms"] >= 3 * 400
    assert free["waiting_ms"] >= 400
    assert free["held_ms"] < sync["held_ms"] / 3


def test_postgres_that_is_not_there(start):
    """A server that cannot be reached is a sentence in the story, and the app lives."""
    pytest.importorskip("psycopg", reason="pip install 'loopscope[postgres]'")
    url = f"postgresql://me@127.0.0.1:{free_port()}/postgres"
    product = start(LOOPSCOPE_POSTGRES=url)

    for scenario in ("postgres_sync", "postgres_async"):
        assert "refused" in product.outcome(scenario, seconds=0.1)["trouble"].lower()
    assert ask(f"{product.demo_url}/fast") == {"message": "This is fast!"}


def test_redis(start, redis):
    """Story 14: with a URL of Redis the queue lives there, and the work is done."""
    pytest.importorskip("celery", reason="pip install 'loopscope[redis]'")
    pytest.importorskip("redis", reason="pip install 'loopscope[redis]'")
    product = start(LOOPSCOPE_REDIS=redis)
    product.press("fast")

    queued = ask(f"{product.demo_url}/queue_celery?seconds=0.1")["report"]

    def look():
        found = ask(f"{product.demo_url}/queue_result/{queued}")
        return found if found["result"] else None

    assert wait_for(look, "the queue's worker")["state"] == "SUCCESS"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc to look into")
def test_nothing_is_left_behind(start):
    """However the dashboard ends, no worker, pool or queue of the demo app lives on."""
    pytest.importorskip("celery", reason="pip install 'loopscope[queue]'")
    product = start()
    product.press("cpu_in_process", seconds=0.1)
    product.press("queue_celery", seconds=0.1)
    product.press("four_workers", seconds=0.1)
    family = descendants(product.process.pid)
    assert len(family) >= 8

    product.process.kill()

    wait_for(lambda: not [pid for pid in family if is_alive(pid)], "all to end")


def descendants(pid):
    """Return every process below one, by /proc."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = []
    left = [pid]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


def is_alive(pid):
    """Say whether a process runs: one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
