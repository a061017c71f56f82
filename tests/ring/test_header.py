"""A ring says whose it is; a file that is none is refused in one sentence."""

from __future__ import annotations

import os
import sys
import time

import pytest

from dashboard.errors import RingDamaged, RingFormatError
from dashboard.records import (
    FORMAT_VERSION,
    RECORD_BYTES,
    Cell,
    Kind,
    RingState,
)
from dashboard.ring import (
    RingReader,
    create_ring,
    is_alive,
)
from dashboard.ring.layout import RECORDS_AT


def test_identity(tmp_path):
    """Who wrote a ring, and since when, comes back as it was given."""
    before = time.monotonic_ns(), time.time_ns()
    writer = create_ring(
        kind="uvloop", title="shop → main:app", loop_no=3, directory=tmp_path
    )
    reader = RingReader(writer.path)
    identity = reader.identity
    reader.close()

    assert (identity.pid, identity.loop_no) == (os.getpid(), 3)
    assert (identity.kind, identity.title) == ("uvloop", "shop → main:app")
    assert identity.python == ".".join(map(str, sys.version_info[:3]))
    assert before[0] <= identity.began_ns <= time.monotonic_ns()
    assert before[1] <= identity.began_unix_ns <= time.time_ns()
    assert is_alive(identity)


@pytest.mark.parametrize(
    ("title", "kept"),
    [("é" * 100, "é" * 63), ("x" * 200, "x" * 127), ("app\udcff", "app?")],
)
def test_title_is_cut(tmp_path, title, kept):
    """A title too long for the header, or not text at all, is cut between characters."""
    writer = create_ring(kind="asyncio", title=title, loop_no=1, directory=tmp_path)
    reader = RingReader(writer.path)
    reader.close()

    assert reader.identity.title == kept


def test_cells(pair):
    """The header's live numbers are read as they were last written."""
    ring = pair()
    ring.writer.cells[Cell.OWNER] = -7
    ring.writer.cells[Cell.SINCE] = 2**62

    cells = ring.reader.read_cells()
    ring.writer.close(RingState.FAILED)
    after = ring.reader.read_cells()

    assert (cells[Cell.OWNER], cells[Cell.SINCE]) == (-7, 2**62)
    assert cells[Cell.STATE] == RingState.RECORDING
    assert (after[Cell.OWNER], after[Cell.STATE]) == (0, RingState.FAILED)


def test_own_file(tmp_path):
    """Each ring has a file of its own that only its user can read."""
    paths = {
        create_ring(kind="asyncio", title="", loop_no=1, directory=tmp_path).path
        for _ in range(3)
    }

    assert len(paths) == 3
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_size(tmp_path):
    """A ring takes its 8.7 MB from the first moment on, however much is written to it."""
    writer = create_ring(kind="asyncio", title="", loop_no=1, directory=tmp_path)
    before = writer.path.stat()
    for number in range(300_000):
        writer.write(int(Kind.POLL), number, 0, 0, 0)
    for number in range(10_000):
        writer.intern(f"a name that nobody else has, {number}")
    after = writer.path.stat()

    assert before.st_size == after.st_size < 8.7e6
    assert before.st_blocks == after.st_blocks >= before.st_size // 512


@pytest.mark.parametrize("size", [0, 7, 2048, RECORDS_AT - 1, RECORDS_AT + 8, -1])
def test_truncated(pair, size):
    """A file that is shorter than its header says is refused in one sentence."""
    ring = pair(capacity=8)
    os.truncate(ring.path, size % (RECORDS_AT + 8 * RECORD_BYTES))

    with pytest.raises(RingDamaged) as caught:
        RingReader(ring.path)

    assert_sentence(caught.value, names=ring.path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF" * 2000, bytes(100_000)])
def test_no_ring(tmp_path, content):
    """A file that is no ring is refused in one sentence."""
    path = tmp_path / "1-1-1.ring"
    path.write_bytes(content)

    with pytest.raises(RingDamaged, match="is not a ring") as caught:
        RingReader(path)

    assert_sentence(caught.value, names=path)


@pytest.mark.parametrize("what", ["folder", "pipe", "link", "nothing"])
def test_no_file(tmp_path, what):
    """What is not even a file is refused in one sentence, and never waited for."""
    path = tmp_path / "1-1-1.ring"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "link":
        target = create_ring(kind="", title="", loop_no=1, directory=tmp_path).path
        path.symlink_to(target)

    with pytest.raises(RingDamaged) as caught:
        RingReader(path)

    assert_sentence(caught.value, names=path)


@pytest.mark.parametrize("found", [0, FORMAT_VERSION + 1])
def test_foreign_version(pair, found):
    """A ring of another release is refused; the sentence names both versions."""
    ring = pair()
    ring.writer.buffer[8:12] = found.to_bytes(4, "little")

    with pytest.raises(RingFormatError) as caught:
        RingReader(ring.path)

    assert f"format {found}, this dashboard reads {FORMAT_VERSION}" in str(caught.value)
    assert_sentence(caught.value, names=ring.path)


def assert_sentence(error, *, names):
    """Check that an error is one line that says which file, and what to do."""
    text = str(error)
    assert text.startswith(names.name)
    assert "\n" not in text
    assert "; " in text
    assert len(text) < 200


def test_refused_reader_leaves_no_file_open(tmp_path):
    """A refused file is closed."""
    path = tmp_path / "1-1-1.ring"
    path.write_bytes(b"hello")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(RingDamaged):
            RingReader(path)

    assert len(os.listdir("/proc/self/fd")) == before
