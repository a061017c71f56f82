"""A stack is asked for only where that cannot hurt, and its text is not believed."""

from __future__ import annotations

import os

import pytest
from tapes import MS, Tape

from dashboard.records import Cell
from dashboard.ring import DUMP_SUFFIX, RingReader, create_ring
from dashboard.server.reading import dumps as module
from dashboard.server.reading.dumps import (
    BURNT_NS,
    MAX_GAP_NS,
    STALE_NS,
    Dumps,
    Rule,
    blame,
    make_is_users,
    open_dumps,
    parse_dump,
)
from dashboard.server.reading.names import Place
from dashboard.server.reading.process import ThreadLook

SIGNAL = 60
CAUGHT = 1 << (SIGNAL - 1)
LOOP, WATCHDOG = 7, 8
HEAD = "library /usr/lib/python3\nuser /srv/demo/\n"
DUMP = """Current thread 0x00007f (most recent call first):
  File "/usr/lib/python3/json/encoder.py", line 258 in iterencode
  File "/srv/shop.py", line 41 in report
  File "/srv/dashboard/recorder/hooks.py", line 129 in run_once
  File "/usr/lib/python3/asyncio/base_events.py", line 1922 in _run_once
"""


def look(*, state="R", switches=0, cpu_ms=0, caught=CAUGHT, held_back=0):
    """Return a look at a thread."""
    return ThreadLook(state, switches, cpu_ms * MS, 1, caught, held_back)


# ------------------------------------------------------------------------ the rule


def play(*looks, beats=None):
    """Show the rule some looks: (watchdog's switches, loop's look)."""
    rule = Rule()
    beats = beats or [1] * len(looks)
    return [
        rule.is_held(beat, look(state="S", switches=switches), loop)
        for beat, (switches, loop) in zip(beats, looks, strict=True)
    ]


def test_held_by_c_code():
    """The watchdog asks in vain while the loop's thread burns time without sleeping."""
    looks = [(0, look(cpu_ms=100)), (3, look(cpu_ms=120)), (6, look(cpu_ms=140))]

    assert play(*looks) == [False, False, True]


@pytest.mark.parametrize(
    ("why", "looks", "beats"),
    [
        (
            "the watchdog has no processor, so it never asked",
            [(0, look(cpu_ms=0)), (0, look(cpu_ms=50)), (0, look(cpu_ms=99))],
            None,
        ),
        (
            "the loop's thread has no processor, so it may be in the midst of Python",
            [(0, look(cpu_ms=0)), (9, look(cpu_ms=9)), (99, look(cpu_ms=9))],
            None,
        ),
        (
            "the loop's thread has slept, so it gave the lock away and has it again",
            [
                (0, look(cpu_ms=0)),
                (9, look(cpu_ms=9, switches=1)),
                (18, look(cpu_ms=99, switches=2)),
            ],
            None,
        ),
        (
            "the loop's thread sleeps in a system call, which a signal would end",
            [
                (0, look(cpu_ms=0)),
                (9, look(cpu_ms=9)),
                (18, look(cpu_ms=99, state="S")),
            ],
            None,
        ),
        (
            "the process is stopped",
            [
                (0, look(cpu_ms=0)),
                (9, look(cpu_ms=9)),
                (18, look(cpu_ms=99, state="T")),
            ],
            None,
        ),
        (
            "the watchdog has got the lock meanwhile",
            [(0, look(cpu_ms=0)), (9, look(cpu_ms=9)), (18, look(cpu_ms=99))],
            [1, 1, 2],
        ),
    ],
)
def test_not_held(why, looks, beats):
    """One proof that is missing is enough to send nothing."""
    assert True not in play(*looks, beats=beats), why


def test_begins_anew():
    """After the thread has slept all three looks are needed once more."""
    looks = [
        (0, look(cpu_ms=0)),
        (3, look(cpu_ms=10, switches=1)),
        (6, look(cpu_ms=30, switches=2)),
        (9, look(cpu_ms=50, switches=2)),
    ]

    assert play(*looks) == [False, False, False, True]


# -------------------------------------------------------------- asking, step by step


class Stage:
    """A ring, a loop that has been in one step for long, and hands that take notes."""

    def __init__(self, folder):
        self.ring = create_ring(
            kind="asyncio", title="", loop_no=1, directory=folder, records_bytes=1 << 15
        )
        self.reader = RingReader(self.ring.path)
        self.file = self.ring.path.with_suffix(DUMP_SUFFIX)
        self.file.write_text(HEAD)
        self.tape = Tape().born(1, "main", 0).step(1, 10, 20).play()
        self.now = 10 * STALE_NS
        self.sent = []
        self.threads = {
            LOOP: look(),
            WATCHDOG: look(state="S"),
        }
        self.cells = self.ring.cells
        self.cells[Cell.OWNER] = 1
        self.cells[Cell.BEAT] = self.now - STALE_NS
        self.cells[Cell.DUMP_SIGNAL] = SIGNAL
        self.cells[Cell.LOOP_THREAD] = LOOP
        self.cells[Cell.WATCHDOG_THREAD] = WATCHDOG
        self.tape.model.tick(self.now, 1, 20)
        self.took_ns = 0
        self.turns = 1
        self.dumps = Dumps(
            self.reader,
            look=self.look,
            glance=lambda pid, thread: self.turns,
            send=lambda *to: self.sent.append(to),
            clock_ns=self.clock_ns,
        )
        self._clock_ns = 0

    def look(self, pid, thread):
        assert pid == os.getpid()
        return self.threads[thread]

    def clock_ns(self):
        self._clock_ns += self.took_ns
        return self._clock_ns

    def turn(self, times=1):
        """Let some looks pass, in which C code holds the lock."""
        for _ in range(times):
            loop, watchdog = self.threads[LOOP], self.threads[WATCHDOG]
            self.threads[LOOP] = loop._replace(cpu_ns=loop.cpu_ns + 2 * BURNT_NS)
            self.threads[WATCHDOG] = watchdog._replace(switches=watchdog.switches + 5)
            self.now += 10 * MS
            self.tape.model.tick(self.now, 1, 20)
            self.dumps.follow(self.now, self.reader.read_cells(), self.tape.model)
        return self


@pytest.fixture
def stage(tmp_path):
    """A stage in a folder of the test's."""
    stage = Stage(tmp_path / "rings")
    yield stage
    stage.dumps.close()
    stage.reader.close()


def test_asks_once(stage):
    """A held lock means one signal, to the loop's own thread, however long it lasts."""
    stage.turn(20)

    assert stage.sent == [(os.getpid(), LOOP, SIGNAL)]
    assert stage.dumps.sent == 1


def test_asks_again_for_the_next(stage):
    """The next C call that holds the lock is asked about, too."""
    stage.turn(5)
    stage.cells[Cell.BEAT] += 1
    stage.turn(5)

    assert stage.dumps.sent == 2


def test_line_is_told(stage):
    """What the thread wrote becomes the culprit, with its stack, while it lasts."""
    stage.turn(3)
    with stage.file.open("a") as file:
        file.write(DUMP)
    stage.turn()
    (stall,) = stage.tape.stalls.kept

    assert stall.culprit == Place("/srv/shop.py", 41, "report")
    assert not stall.over
    assert stall.to_wire()["holds_lock"]
    assert [(line["function"], line["user"]) for line in stall.describe()["stack"]] == [
        ("iterencode", False),
        ("report", True),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {Cell.OWNER: 0},
        {Cell.DUMP_SIGNAL: 0},
        {Cell.DUMP_SIGNAL: -3},
        {Cell.LOOP_THREAD: 0},
        {Cell.BEAT: 1 << 60},
    ],
)
def test_nothing_to_ask(stage, change):
    """A loop that polls, beats, or has no signal is never sent one."""
    for cell, value in change.items():
        stage.cells[cell] = value
    stage.turn(10)

    assert stage.sent == []


@pytest.mark.parametrize(
    "loop",
    [look(caught=0), look(held_back=CAUGHT), look(state="S"), look(state="T")],
)
def test_signal_would_hurt(stage, loop):
    """A signal that would kill, come late, or end a system call is not sent."""
    stage.threads[LOOP] = loop
    stage.turn(10)

    assert stage.sent == []


def test_looked_too_long_ago(stage):
    """If we were put to sleep on the way, what we saw may be over."""
    stage.took_ns = MAX_GAP_NS + 1
    stage.turn(10)
    missed = list(stage.sent)
    stage.took_ns = 0
    stage.turn()

    assert (missed, len(stage.sent)) == ([], 1)


def test_had_another_turn(stage):
    """If the thread was put on a processor anew since the look, the call may be over."""
    stage.turns = 2
    stage.turn(10)

    assert stage.sent == []


def test_not_allowed(stage):
    """What is not allowed is not tried again, and said."""

    def refuse(*to):
        stage.sent.append(to)
        raise PermissionError(1, "Operation not permitted")

    stage.dumps._send = refuse
    stage.turn(10)

    assert len(stage.sent) == 1
    assert (
        stage.dumps.refusal
        == f"process {os.getpid()} may not be sent signals from here"
    )


def test_no_file(stage):
    """Without the file there is no use in a signal."""
    stage.file.unlink()
    stage.turn(10)

    assert stage.sent == []
    assert "cannot be read" in stage.dumps.refusal


def test_process_that_we_cannot_look_at(stage):
    """Where the system does not tell what threads do, nothing is sent."""
    stage.dumps._look = lambda pid, thread: None
    stage.turn(10)

    assert stage.sent == []


# -------------------------------------------------------------------- what comes back


def parsed(text):
    """Return a dump's lines in short, and if it is whole."""
    lines, is_whole = parse_dump(text, make_is_users(HEAD))
    return [(str(line.place), line.is_users) for line in lines], is_whole


def test_parse():
    """A dump is read from its innermost line to where the loop's machinery begins."""
    assert parsed(DUMP) == (
        [("encoder.py:258 in iterencode", False), ("shop.py:41 in report", True)],
        True,
    )


def test_parse_without_ours():
    """A line of the recorder's is none of the app's stack, wherever it stands."""
    ours = '  File "/srv/dashboard/recorder/pauses.py", line 53 in _on_collection\n'
    head, rest = DUMP.split("\n", 1)

    assert parsed(f"{head}\n{ours}{rest}") == parsed(DUMP)


def test_parse_beginning():
    """Half a dump is told as far as it goes, and known not to be whole."""
    half = DUMP[: DUMP.index("  File", DUMP.index("shop.py")) - 1]

    assert parsed(half)[1] is False
    assert parsed("") == ([], False)


def test_parse_last_of_several():
    """Of several dumps the last one counts."""
    other = DUMP.replace("report", "other")

    assert ("shop.py:41 in other", True) in parsed(DUMP + "\n" + other)[0]
    assert ("shop.py:41 in report", True) not in parsed(DUMP + "\n" + other)[0]


def test_parse_other_peoples_text():
    """Names may be anything: escaped, without a line, too long, or no text at all."""
    text = (
        "Stack (most recent call first):\n"
        '  File "/srv/caf\\xe9 \\u6f22.py", line ??? in \\U0001f600\n'
        f'  File "{"x" * 10_000}", line {"9" * 100} in f\n'
        "  File broken\n"
        '  File "/srv/a", line 1 in b", line 2 in c\n'
        "\x00\x1b[31m\n"
    )
    lines, is_whole = parse_dump(text, lambda file: True)

    assert [line.place.function for line in lines] == ["😀", "f", "c"]
    assert lines[0].place.file == "/srv/café 漢.py"
    assert lines[0].place.line == 0
    assert len(lines[1].place.file) == module.MAX_NAME
    assert is_whole is False


def test_parse_is_bounded():
    """A stack without an end ends."""
    line = '  File "/srv/shop.py", line 1 in f\n'
    lines, is_whole = parse_dump("most recent call first\n" + line * 9999, bool)

    assert (len(lines), is_whole) == (module.MAX_LINES, True)


def test_blame():
    """The innermost line of the user's is to blame, else the innermost, else none."""
    lines, _ = parse_dump(DUMP, make_is_users(HEAD))

    assert str(blame(lines)) == "shop.py:41 in report"
    assert str(blame(lines[:1])) == "encoder.py:258 in iterencode"
    assert blame([]) is None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/srv/shop.py", True),
        ("/usr/lib/python3/json/encoder.py", False),
        ("/srv/env/site-packages/httpx/_client.py", False),
        ("<frozen importlib>", False),
        ("/srv/demo/basics.py", True),
    ],
)
def test_users_files(file, expected):
    """Whose code a file is, is decided as the recorder does, by the paths it named."""
    assert make_is_users(HEAD)(file) is expected


def test_file_must_be_one(tmp_path):
    """A pipe or a link of that name is not read."""
    pipe, link, target = (tmp_path / name for name in ("pipe", "link", "target"))
    os.mkfifo(pipe)
    target.write_text(HEAD)
    link.symlink_to(target)

    for path in (pipe, link, tmp_path):
        with pytest.raises(OSError, match=r".*"):
            os.close(open_dumps(path)[0])
