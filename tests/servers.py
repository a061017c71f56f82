"""Start real database servers for tests, where they are installed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 20
POLL_S = 0.05


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs; Debian keeps it off the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


@contextlib.contextmanager
def database_servers() -> Iterator[dict[str, int]]:
    """Run what is installed of PostgreSQL and Redis; give their ports by name."""
    with contextlib.ExitStack() as stack:
        ports = {}
        if shutil.which("redis-server"):
            ports["redis-server"] = stack.enter_context(_redis())
        programs = find_postgres()
        if programs is not None:
            ports["postgresql"] = stack.enter_context(_postgres(programs))
        yield ports


@contextlib.contextmanager
def _redis() -> Iterator[int]:
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        with _running([*command, "--save", "", "--dir", folder], port):
            yield port


@contextlib.contextmanager
def _postgres(programs: Path) -> Iterator[int]:
    port = _free_port()
    # It refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        setup = [programs / "initdb", "-D", folder, "-U", "postgres", "-A", "trust"]
        subprocess.run(
            [*setup, "--no-sync"],
            check=True,
            user=user,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
        command = [programs / "postgres", "-D", folder, "-p", str(port), "-k", folder]
        with _running([*command, "-F", "-h", "127.0.0.1"], port, user=user):
            yield port


@contextlib.contextmanager
def _running(command: list, port: int, user: str | None = None) -> Iterator[None]:
    with subprocess.Popen(
        command,
        user=user,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1),
        ):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
    raise AssertionError(f"{process.args[0]} did not listen on port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
