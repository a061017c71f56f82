"""Every ring of this user is found, wherever its writer was; nobody else's is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dashboard.ring import create_ring, default_directory
from dashboard.server.reading.folders import (
    SESSION_PREFIX,
    is_of_user,
    is_private,
    make_session_folder,
    places_of_user,
    rings_in,
    rings_of_user,
)


def ring(folder):
    """Make a ring in a folder as a recorded program does."""
    made = create_ring(
        kind="asyncio", title="app", loop_no=1, directory=folder, records_bytes=2048
    )
    return made.path


@pytest.mark.parametrize(
    "writer",
    [{}, {"XDG_RUNTIME_DIR": "/tmp"}, {"LOOPSCOPE_DIR": "/somewhere"}],
    ids=["plain", "login session", "named"],
)
def test_reader_looks_where_the_writer_writes(monkeypatch, writer):
    """What the writer chooses in an environment is a place that the reader knows."""
    for name in ("LOOPSCOPE_DIR", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in writer.items():
        monkeypatch.setenv(name, value)

    assert default_directory() in places_of_user(os.environ)


def test_places_do_not_depend_on_the_session():
    """A watcher outside of any login session still looks where those inside write."""
    places = places_of_user({})

    assert Path(f"/run/user/{os.getuid()}/loopscope-{os.getuid()}") in places
    assert Path(f"/dev/shm/loopscope-{os.getuid()}") in places
    assert len(places) == len(set(places))


def test_finds_in_all_places(tmp_path):
    """Rings of several folders are found together, those of sessions among them."""
    one, other = tmp_path / "one", tmp_path / "other"
    find = rings_of_user([one, other, tmp_path / "absent"])
    before = find()

    expected = {ring(one), ring(other), ring(other / f"{SESSION_PREFIX}1-x")}

    assert before == set()
    assert find() == expected


def test_enters_no_foreign_folder(tmp_path):
    """A folder that others can write to, or a link to one, is left alone."""
    shared, linked = tmp_path / "shared", tmp_path / "linked"
    ring(shared)
    linked.symlink_to(shared)
    assert rings_of_user([shared, linked])() == set(rings_in(shared)())

    shared.chmod(0o777)

    assert rings_of_user([shared, linked])() == set()
    assert not is_private(linked)


def test_session_folder_is_private(tmp_path, monkeypatch):
    """A session's folder is nobody else's, is found, and goes with its session."""
    monkeypatch.setenv("LOOPSCOPE_DIR", str(tmp_path / "rings"))

    with make_session_folder() as name:
        made = ring(Path(name))
        assert is_private(Path(name))
        assert rings_of_user(places_of_user())() == {made}

    assert not Path(name).exists()


def test_whose_ring_it_is(tmp_path, monkeypatch):
    """A ring is this user's where its programs write, and nowhere else: no link, no copy."""
    home, shared = tmp_path / "home", tmp_path / "shared"
    monkeypatch.setenv("LOOPSCOPE_DIR", str(home))
    mine, session = ring(home), ring(home / f"{SESSION_PREFIX}1-x")
    copied = tmp_path / mine.name
    copied.write_bytes(mine.read_bytes())
    linked = home / "linked.ring"
    linked.symlink_to(copied)
    nested = ring(home / "other")

    assert is_of_user(mine)
    assert is_of_user(session)
    assert not any(map(is_of_user, (copied, linked, nested, home, home / "absent")))

    monkeypatch.setenv("LOOPSCOPE_DIR", str(shared))
    foreign = ring(shared)
    shared.chmod(0o777)
    assert not is_of_user(foreign)
