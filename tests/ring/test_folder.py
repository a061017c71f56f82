"""Rings are made where only their user can go, and what ended is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboard.errors import RingError
from dashboard.ring import (
    Identity,
    create_ring,
    default_directory,
    is_alive,
    private_directory,
    remove_stale,
    writer,
)


def test_private_directory(tmp_path):
    """The folder is made with its parents, for its user only."""
    folder = private_directory(tmp_path / "a" / "b")

    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_private_directory_is_closed_to_others(tmp_path):
    """A folder of ours that others could enter is closed to them."""
    tmp_path.chmod(0o755)
    private_directory(tmp_path)

    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "what", ["file", "link", "dangling", "foreign", "below a file"]
)
def test_refused_directory(tmp_path, monkeypatch, what):
    """A folder that is not certainly ours is refused in one sentence."""
    path = tmp_path / "rings"
    if what == "file":
        path.write_text("")
    elif what == "link":
        (tmp_path / "real").mkdir()
        path.symlink_to(tmp_path / "real")
    elif what == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif what == "foreign":
        path.mkdir()
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    else:
        path.write_text("")
        path = path / "below"

    with pytest.raises(RingError) as caught:
        create_ring(kind="asyncio", title="", loop_no=1, directory=path)

    assert repr(str(path)) in str(caught.value)
    assert "set LOOPSCOPE_DIR to" in str(caught.value)
    assert not list(tmp_path.rglob("*.ring"))


@pytest.mark.parametrize("what", ["file", "link", "dangling"])
def test_never_overwrites(tmp_path, monkeypatch, what):
    """A name that is taken stays as it is, and nothing behind a link is touched."""
    monkeypatch.setattr(writer.time, "monotonic_ns", lambda: 5)
    path = tmp_path / f"{os.getpid()}-1-5.ring"
    other = tmp_path / "precious"
    if what != "dangling":
        other.write_text("precious")
    if what == "file":
        path.write_text("precious")
    else:
        path.symlink_to(other)

    with pytest.raises(RingError, match="File exists"):
        create_ring(kind="asyncio", title="", loop_no=1, directory=tmp_path)

    assert other.exists() is (what != "dangling")
    if what != "dangling":
        assert path.read_text() == "precious"


def test_no_space(tmp_path, monkeypatch):
    """Where there is no room for a ring nothing is left behind but a sentence."""

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(RingError, match="No space left") as caught:
        create_ring(kind="asyncio", title="", loop_no=1, directory=tmp_path)

    assert "free some space" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LOOPSCOPE_DIR": "/somewhere"}, "/somewhere"),
        ({"XDG_RUNTIME_DIR": "{tmp}"}, "{tmp}/loopscope-{uid}"),
        ({"XDG_RUNTIME_DIR": "/nowhere"}, "{base}/loopscope-{uid}"),
    ],
)
def test_default_directory(tmp_path, monkeypatch, environ, expected):
    """Rings go where the user says, else to a folder of the user's in memory."""
    shared_memory = "/dev/shm"
    base = shared_memory if os.access(shared_memory, os.W_OK) else "/tmp"
    for name in ("LOOPSCOPE_DIR", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))

    found = default_directory()

    assert found == Path(expected.format(tmp=tmp_path, base=base, uid=os.getuid()))


@pytest.fixture
def dead_pid():
    """Give the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    assert process.wait(20) == 0, "the interpreter did not start"
    return process.pid


def leave(folder, pid, *, age_s):
    """Leave a ring as a process of that number would have, some time ago."""
    path = folder / f"{pid}-1-{age_s}.ring"
    path.write_bytes(b"")
    modified = time.time() - age_s
    os.utime(path, (modified, modified))
    return path


def test_stale_by_count(tmp_path, dead_pid):
    """Of dead processes' rings only the newest are kept."""
    paths = [leave(tmp_path, dead_pid, age_s=age_s) for age_s in range(100, 110)]

    assert remove_stale(tmp_path, keep=3) == 7
    assert sorted(tmp_path.iterdir()) == sorted(paths[:3])


def test_stale_by_age(tmp_path, dead_pid):
    """Of dead processes' rings only those of the last day are kept."""
    young = leave(tmp_path, dead_pid, age_s=3_600)
    leave(tmp_path, dead_pid, age_s=90_000)

    assert remove_stale(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [young]


def test_living_and_foreign_files_stay(tmp_path):
    """Rings of living processes, and files that are not ours, are never removed."""
    leave(tmp_path, os.getpid(), age_s=10**6)
    for name in ("notes.txt", "x-1-1.ring", "²-1-1.ring", "-1.ring"):
        (tmp_path / name).write_text("")
    before = sorted(tmp_path.iterdir())

    assert remove_stale(tmp_path, keep=0, max_age_s=0) == 0
    assert sorted(tmp_path.iterdir()) == before


def test_stale_in_no_folder(tmp_path):
    """A folder that does not exist has nothing to remove."""
    assert remove_stale(tmp_path / "nowhere") == 0


def test_ended_process_is_not_alive(dead_pid):
    """A process that has ended is not alive, nor is one that took its number."""
    identity = Identity(dead_pid, 1, 0, 0, 1, "asyncio", "3.11", "")
    reused = Identity(os.getpid(), 1, 0, 0, 1, "asyncio", "3.11", "")

    assert not is_alive(identity)
    assert not is_alive(reused)


def test_named_when_it_is_one(tmp_path, monkeypatch):
    """A reader that looks while a ring is being made does not see it."""
    seen = []
    reserve = writer._reserve

    def look(descriptor, size):
        seen.extend(tmp_path.glob("*.ring"))
        reserve(descriptor, size)

    monkeypatch.setattr(writer, "_reserve", look)
    made = create_ring(kind="asyncio", title="app", loop_no=1, directory=tmp_path)

    assert seen == []
    assert [made.path] == list(tmp_path.iterdir())


def test_never_finished(tmp_path):
    """A ring whose process died while making it is removed."""
    (tmp_path / "999999999-1-5.unready").write_bytes(bytes(100))

    assert remove_stale(tmp_path, keep=0) == 1
