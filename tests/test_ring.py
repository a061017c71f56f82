"""A ring loses nothing silently: what is written is read, or counted as missed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dashboard import ring as module
from dashboard.errors import RingDamaged, RingError, RingFormatError
from dashboard.records import (
    FORMAT_VERSION,
    KIND_MASK,
    LAP_SHIFT,
    RECORD,
    RECORD_BYTES,
    Cell,
    Kind,
    RingState,
)
from dashboard.ring import (
    HOLE_PATIENCE_NS,
    MAX_STRING_BYTES,
    STRINGS_AT,
    STRINGS_BYTES,
    RingReader,
    create_ring,
    is_alive,
    private_directory,
    remove_stale,
)

RECORDS_AT = STRINGS_AT + STRINGS_BYTES
POLL = int(Kind.POLL)


class Pair:
    """A writer and a reader of the same ring; a record is its number in `t`."""

    def __init__(self, folder, capacity):
        self.capacity = capacity
        self.writer = create_ring(
            kind="asyncio",
            title="a loop",
            loop_no=1,
            directory=folder,
            records_bytes=capacity * RECORD_BYTES,
        )
        self.path = self.writer.path
        self.reader = RingReader(self.path)
        self.written = 0

    def write(self, count=1):
        """Write the next records."""
        for _ in range(count):
            self.writer.write(POLL, self.written, 0, 0, 0)
            self.written += 1

    def read(self, now_ns=0, limit=module.READ_CHUNK):
        """Read once; give the numbers of the records."""
        data = self.reader.read(now_ns, limit)
        return [record[0] for record in RECORD.iter_unpack(data)]

    def read_all(self, now_ns=0):
        """Read until nothing is new and nothing more is given up."""
        numbers, before = [], None
        while before != (before := (len(numbers), self.reader.missed)):
            numbers += self.read(now_ns)
        return numbers

    def put(self, slot, data):
        """Overwrite the bytes of some slots, as damage or another thread would."""
        at = RECORDS_AT + slot * RECORD_BYTES
        self.writer.buffer[at : at + len(data)] = data

    def account(self):
        """Say what became of the records, as the reader tells it."""
        return repr(self.reader).partition(", ")[2]


@pytest.fixture
def pair(tmp_path):
    """Make pairs of writer and reader that are closed afterwards."""
    made = []

    def make(capacity=8):
        made.append(Pair(tmp_path / "rings", capacity))
        return made[-1]

    yield make
    for each in made:
        each.reader.close()


# ------------------------------------------------------------- identity, header


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


# ------------------------------------------------------------- writing, reading


def test_follow_across_laps(pair):
    """A reader that keeps up reads everything, in order, however often it wraps."""
    ring = pair(capacity=8)
    numbers = []
    for _ in range(20):
        ring.write(5)
        numbers += ring.read_all()

    assert numbers == list(range(100))
    assert ring.account() == "100 read, 0 missed, 0 damaged>"
    assert repr(ring.writer) == f"<RingWriter {ring.path.name}, lap 13>"


def test_nothing_new(pair):
    """Reading when nothing was written gives nothing and loses nothing."""
    ring = pair()
    empty = ring.read_all(now_ns=0), ring.read_all(now_ns=10**12)
    ring.write(8)
    full = ring.read_all()
    again = ring.read_all(now_ns=2 * 10**12)

    assert (empty, full, again) == (([], []), list(range(8)), [])
    assert ring.account() == "8 read, 0 missed, 0 damaged>"


def test_lapped(pair):
    """A reader that was overtaken counts what it missed and goes on behind it."""
    ring = pair(capacity=16)
    ring.write(4)
    first = ring.read_all()
    ring.write(100)
    rest = ring.read_all()

    # An eighth of the ring is left to the writer as a start.
    assert (first, rest) == (list(range(4)), list(range(90, 104)))
    assert ring.account() == "104 read, 86 missed, 0 damaged>"


def test_lapped_while_reading(pair, monkeypatch):
    """What the writer overwrites between the two looks at it is never believed."""
    ring = pair(capacity=16)
    ring.write(16)
    pread, looks = os.pread, []

    def overtaken(*args):
        looks.append(args)
        if len(looks) == 2:
            ring.write(20)
        return pread(*args)

    monkeypatch.setattr(os, "pread", overtaken)
    numbers = ring.read()
    monkeypatch.undo()
    rest = ring.read_all()

    assert numbers == []
    assert rest == list(range(22, 36))
    assert ring.account() == "36 read, 22 missed, 0 damaged>"


@pytest.mark.parametrize("seed", range(20))
def test_twin(pair, seed):
    """Random writes and pauses read exactly as in a slow and obvious twin."""
    chance = random.Random(seed)
    capacity = chance.choice([2, 3, 8, 50, 64])
    ring, twin = pair(capacity), Twin(capacity)
    for _ in range(300):
        ring.write(many := int(chance.expovariate(1 / (capacity / 2))))
        twin.written += many
        limit = chance.choice([1, 3, capacity, module.READ_CHUNK])
        for _ in range(chance.choice([0, 1, 1, 5])):
            assert ring.read(limit=limit) == twin.read(limit)

    assert ring.reader.missed == twin.missed
    assert ring.reader.damaged == 0


class Twin:
    """What a ring must give, with neither bytes nor laps."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.written = self.position = self.missed = 0

    def read(self, limit):
        """Read once, or skip what is gone."""
        if self.written - self.position > self.capacity:
            oldest = self.written - self.capacity + self.capacity // 8
            self.missed += oldest - self.position
            self.position = oldest
            return []
        before_wrap = self.capacity - self.position % self.capacity
        end = min(self.written, self.position + min(limit, before_wrap))
        numbers = list(range(self.position, end))
        self.position = end
        return numbers


def test_threads_lose_nothing(pair):
    """Threads that write at once lose no record, and none comes twice."""
    ring = pair(capacity=40_000)
    everyone = threading.Barrier(4)

    def work(thread):
        everyone.wait(20)
        for number in range(10_000):
            ring.writer.write(POLL, number, number, thread, thread)

    threads = [threading.Thread(target=work, args=(no,)) for no in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive(), "a writer did not end within 20 s"
    data = b""
    while chunk := ring.reader.read(0):
        data += chunk

    told = [record[:4] for record in RECORD.iter_unpack(data)]
    for no in range(4):
        mine = [record for record in told if record[3] == no]
        assert mine == [(number, number, no, no) for number in range(10_000)]
    assert ring.account() == "40000 read, 0 missed, 0 damaged>"


def test_threads_across_laps(pair):
    """When threads also wrap the ring, each record is read whole, or counted."""
    ring = pair(capacity=64)
    total = 4 * 5_000
    left = threading.Semaphore(0)

    def work(thread):
        for number in range(5_000):
            ring.writer.write(POLL, number, ~number, thread, thread ^ 0xFFFF)
        left.release()

    threads = [threading.Thread(target=work, args=(no,)) for no in range(4)]
    for thread in threads:
        thread.start()
    seen, now_ns, ended = [], 0, 0
    while ended < 4:
        ended += left.acquire(blocking=False)
        seen += RECORD.iter_unpack(ring.reader.read(now_ns))
        now_ns += HOLE_PATIENCE_NS // 10
    for _ in range(200):
        seen += RECORD.iter_unpack(ring.reader.read(now_ns))
        now_ns += HOLE_PATIENCE_NS
    for thread in threads:
        thread.join(20)

    last = {}
    for t, u, a, b, _tag in seen:
        assert (u, b) == (~t, a ^ 0xFFFF)
        assert t > last.get(a, -1)
        last[a] = t
    dropped = ring.reader.read_cells()[Cell.DROPPED]
    # A slot that was reserved in the last lap but never filled looks unwritten.
    accounted = len(seen) + ring.reader.missed + dropped
    assert total - 4 <= accounted <= total


# ------------------------------------------------------------------------ damage


@pytest.mark.parametrize("slot", [0, 3, 7])
@pytest.mark.parametrize("lap", [1, 2])
def test_hole_is_waited_for(pair, slot, lap):
    """A slot that is reserved and not yet written is waited for, wherever it is."""
    ring = pair(capacity=8)
    before = []
    for _ in range(8 * (lap - 1) + slot):
        ring.write()
        before += ring.read_all()
    ring.write()
    at = RECORDS_AT + slot * RECORD_BYTES
    late = bytes(ring.writer.buffer[at : at + RECORD_BYTES])
    ring.put(slot, bytes(RECORD_BYTES))
    ring.write(3)
    early = ring.read_all(now_ns=0) + ring.read_all(now_ns=HOLE_PATIENCE_NS - 1)
    ring.put(slot, late)
    rest = ring.read_all(now_ns=HOLE_PATIENCE_NS - 1)

    assert early == []
    assert before + rest == list(range(ring.written))
    assert ring.account() == f"{ring.written} read, 0 missed, 0 damaged>"


@pytest.mark.parametrize("slot", [0, 3, 7])
def test_hole_is_given_up(pair, slot):
    """A slot that nobody fills is counted once its time is over; the rest is read."""
    ring = pair(capacity=8)
    ring.write(slot)
    before = ring.read_all()
    ring.write(1)
    ring.put(slot, bytes(RECORD_BYTES))
    ring.write(3)
    waited = ring.read_all(now_ns=0)
    rest = ring.read_all(now_ns=HOLE_PATIENCE_NS)

    assert (before, waited) == (list(range(slot)), [])
    assert rest == [slot + 1, slot + 2, slot + 3]
    assert ring.account() == f"{slot + 4} read, 1 missed, 0 damaged>"


def test_half_written(pair):
    """A record whose tag is still the last lap's is not read until it is whole."""
    ring = pair(capacity=8)
    ring.write(8)
    ring.read_all()
    ring.put(0, RECORD.pack(8, 0, 0, 0, 0)[:24])
    half = ring.read_all(now_ns=0), ring.read_all(now_ns=10 * HOLE_PATIENCE_NS)
    ring.write(1)
    whole = ring.read_all()

    assert (half, whole) == (([], []), [8])
    assert ring.account() == "9 read, 0 missed, 0 damaged>"


@pytest.mark.parametrize("begin", [0, 44, 50, 54])
def test_garbage(pair, begin):
    """Bytes that are no record are counted as damaged; what is around is read."""
    ring = pair(capacity=64)
    ring.write(begin)
    ring.read_all()
    ring.write(30)
    for number in range(begin + 10, begin + 16):
        ring.put(number % 64, b"\xa5" * RECORD_BYTES)
    rest = ring.read_all()

    assert rest == [*range(begin, begin + 10), *range(begin + 16, begin + 30)]
    assert ring.account() == f"{begin + 30} read, 6 missed, 6 damaged>"


@pytest.mark.parametrize("kind", [0, max(Kind) + 1, KIND_MASK])
def test_unknown_kind(pair, kind):
    """A record of a kind that does not exist is damage, and one record only."""
    ring = pair(capacity=8)
    ring.write(4)
    ring.put(1, RECORD.pack(1, 0, 0, 0, (1 << LAP_SHIFT) + kind))

    numbers = ring.read_all(0) + ring.read_all(HOLE_PATIENCE_NS)

    assert numbers == [0, 2, 3]
    assert ring.reader.missed == 1


@pytest.mark.parametrize("ahead", [1, 5, 10**6])
def test_slot_from_the_future(pair, ahead):
    """One slot that claims a later lap does not lead the reader away."""
    ring = pair(capacity=64)
    ring.write(20)
    ring.put(3, RECORD.pack(0, 0, 0, 0, ((1 + ahead) << LAP_SHIFT) + POLL))
    numbers = ring.read_all(0) + ring.read_all(HOLE_PATIENCE_NS)
    ring.write(100)
    later = ring.read_all(HOLE_PATIENCE_NS)

    assert numbers == [0, 1, 2, *range(4, 20)]
    assert later[-1] == 119


@pytest.mark.parametrize("byte", [b"\x5a", b"\0"])
def test_large_damage(pair, byte):
    """Damage longer than one read ends; what comes after it is read."""
    capacity = 3 * module.READ_CHUNK
    ring = pair(capacity)
    ring.write(capacity)
    ring.put(10, byte * (RECORD_BYTES * (module.READ_CHUNK + 100)))
    numbers = ring.read_all(0) + ring.read_all(HOLE_PATIENCE_NS)

    assert numbers[:10] == list(range(10))
    assert numbers[10] <= 2 * module.READ_CHUNK + 10
    assert numbers[10:] == list(range(numbers[10], capacity))
    assert len(numbers) + ring.reader.missed == capacity


@pytest.mark.parametrize("seed", range(20))
def test_random_damage(pair, seed):
    """Whatever bytes a ring holds, reading ends, and finds the writer again."""
    chance = random.Random(seed)
    ring = pair(capacity=32)
    now_ns = 0
    for _ in range(20):
        ring.write(chance.randrange(40))
        for _ in range(chance.randrange(4)):
            size = chance.randrange(1, 100)
            at = RECORDS_AT + chance.randrange(32 * RECORD_BYTES - size)
            ring.writer.buffer[at : at + size] = chance.randbytes(size)
        ring.read_all(now_ns)
        now_ns += chance.choice([0, HOLE_PATIENCE_NS])
    for _ in range(5):
        ring.write(30)
        numbers = ring.read_all(now_ns)
        now_ns += HOLE_PATIENCE_NS
        numbers += ring.read_all(now_ns)

    assert numbers[-10:] == list(range(ring.written - 10, ring.written))
    read_and_missed = int(ring.account().split()[0])
    assert read_and_missed == ring.written


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


@pytest.mark.parametrize("size", [0, 1000, RECORDS_AT + 3 * RECORD_BYTES + 5])
def test_shrinks_under_the_reader(pair, size):
    """A file that is cut while it is followed does the reader no harm."""
    ring = pair(capacity=8)
    ring.write(6)
    os.truncate(ring.path, size)
    numbers = ring.read_all()
    cells = ring.reader.read_cells()
    ring.reader.read_strings(2**40)

    assert numbers == list(range(3 if size > RECORDS_AT else 0))
    assert set(cells) == set(Cell)
    assert set(ring.reader.strings) == {""}


def test_deleted_under_the_reader(pair):
    """A ring whose file is deleted is followed to its end."""
    ring = pair(capacity=8)
    ring.write(6)
    ring.path.unlink()
    ring.write(2)

    assert ring.read_all() == list(range(8))


# ----------------------------------------------------------------------- strings


def test_strings(pair):
    """Strings keep their index, are stored once, and come in pieces as they grow."""
    ring = pair()
    first = [ring.writer.intern(text) for text in ("main", "π", "main", "")]
    used = ring.reader.read_cells()[Cell.STRINGS]
    ring.reader.read_strings(used)
    early = list(ring.reader.strings)
    late = ring.writer.intern("a\x1fb")
    ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])
    ring.reader.read_strings(used)

    assert (first, late) == ([1, 2, 1, 3], 4)
    assert early == ["", "main", "π", ""]
    assert ring.reader.strings == ["", "main", "π", "", "a\x1fb"]


def test_strings_are_told_before_they_are_used(pair):
    """Whoever gets an index, in whatever thread, finds its string counted already."""
    ring = pair()
    known = ring.writer._known

    class Watched(dict):
        def __setitem__(self, text, index):
            ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])
            assert ring.reader.strings[index] == text
            super().__setitem__(text, index)

    ring.writer._known = Watched(known)
    indices = [ring.writer.intern(text) for text in "abc"]

    assert indices == [1, 2, 3]


def test_long_string(pair):
    """A long string is cut between two characters."""
    ring = pair()
    ring.writer.intern("x" + "é" * MAX_STRING_BYTES)
    ring.writer.intern("\udcff")
    ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])

    assert ring.reader.strings[1:] == ["x" + "é" * ((MAX_STRING_BYTES - 1) // 2), "?"]


def test_full_string_table(pair):
    """A full table names nothing new any more, and keeps what it has."""
    ring = pair()
    texts = [f"{number:04}" + "x" * 1000 for number in range(400)]
    indices = [ring.writer.intern(text) for text in texts]
    room = STRINGS_BYTES // 1006
    ring.reader.read_strings(ring.reader.read_cells()[Cell.STRINGS])

    assert indices == [*range(1, room + 1)] + [0] * (400 - room)
    assert ring.reader.strings == ["", *texts[:room]]
    assert ring.writer.intern(texts[0]) == 1
    assert ring.writer.intern("y" * 5000) == 0


def test_strings_claimed_beyond_the_table(pair):
    """A header that claims more strings than there are is not believed."""
    ring = pair()
    ring.writer.intern("main")
    ring.reader.read_strings(2**60)

    assert ring.reader.strings[:2] == ["", "main"]
    assert len(ring.reader.strings) <= STRINGS_BYTES // 2 + 1


# ------------------------------------------------------------------------ folder


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
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: 5)
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

    found = module.default_directory()

    assert found == Path(expected.format(tmp=tmp_path, base=base, uid=os.getuid()))


# ------------------------------------------------------------------- stale rings


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
    identity = module.Identity(dead_pid, 1, 0, 0, 1, "asyncio", "3.11", "")
    reused = module.Identity(os.getpid(), 1, 0, 0, 1, "asyncio", "3.11", "")

    assert not is_alive(identity)
    assert not is_alive(reused)


def test_named_when_it_is_one(tmp_path, monkeypatch):
    """A reader that looks while a ring is being made does not see it."""
    seen = []
    reserve = module._reserve

    def look(descriptor, size):
        seen.extend(tmp_path.glob("*.ring"))
        reserve(descriptor, size)

    monkeypatch.setattr(module, "_reserve", look)
    writer = create_ring(kind="asyncio", title="app", loop_no=1, directory=tmp_path)

    assert seen == []
    assert [writer.path] == list(tmp_path.iterdir())


def test_never_finished(tmp_path):
    """A ring whose process died while making it is removed."""
    (tmp_path / "999999999-1-5.unready").write_bytes(bytes(100))

    assert remove_stale(tmp_path, keep=0) == 1
