"""What leaves the process is what ARCHITECTURE.md promises, and a browser holds it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from tapes import MS, Told, decode

from dashboard.records import FIELD_SEPARATOR, LAP_SHIFT, RECORD, Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.model.lanes import LaneKind, Row, State
from dashboard.server.model.task import CLOCKWORK
from dashboard.server.session import Session
from dashboard.server.streaming import wire

ORIGIN_NS = 86_400 * 365 * 10**9
CONTRACT = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
#: What others rely on.
LOOP_FIELDS = {
    *("id", "pid", "title", "kind", "state", "blocked_ms", "culprit", "ready"),
    *("waiting", "utilisation", "lag_ms", "recording_cost", "waits", "running"),
}
REQUEST_FIELDS = {
    *("id", "loop", "method", "route", "status", "scenario", "start_ns", "end_ns"),
    *("total_ms", "split"),
}
SPLIT_FIELDS = {
    *("outside_ms", "running_ms", "ready_ms", "waiting_ms", "thread_queue_ms"),
    *("thread_ms", "process_ms"),
}
STALL_FIELDS = {"id", "loop", "start_ns", "duration_ms", "over", "culprit", "victims"}


def records(*rows):
    """Return (kind, t, u, a, b) as bytes; times count from the session's origin."""
    data = b""
    for kind, t, u, a, b in rows:
        timed = kind in (Kind.STEP_WAITING, Kind.STEP_DONE, Kind.POLL, Kind.SAMPLE)
        u += ORIGIN_NS if timed else 0
        data += RECORD.pack(t + ORIGIN_NS, u, a, b, (1 << LAP_SHIFT) + kind)
    return data


@pytest.fixture
def session():
    """A session with a loop that served a request, blocked, and is blocked again."""
    session = Session(origin_ns=ORIGIN_NS)
    identity = Identity(77, 1, ORIGIN_NS, 0, 0, "asyncio", "3.11", "shop:app")
    loop = session.add_loop(identity)
    loop.model.names.strings = [
        "",
        "main",
        FIELD_SEPARATOR.join(["GET", "/<b>/{id}"]),
        FIELD_SEPARATOR.join(["/srv/shop.py", "41", "report"]),
        "\u2028 \ud800 </script>\n\n",
    ]
    session.requests.sent(
        9, ORIGIN_NS + 5, method="GET", path="/x", scenario="fast", loop=loop.id
    )
    session.requests.sent(
        10, ORIGIN_NS + MS, method="GET", path="/y", scenario="slow", loop=loop.id
    )
    cells = dict.fromkeys(Cell, 0) | {
        Cell.STATE: RingState.RECORDING,
        Cell.COST_PS: 300_000,
    }
    session.tick(loop, ORIGIN_NS, cells, alive=True)
    loop.model.feed(
        records(
            (Kind.POLL, 0, 10, 0, 0),
            (Kind.REQUEST_TRACE, -ORIGIN_NS, 9, 1, 0),
            (Kind.BORN, 12, 0, 1, 4),
            (Kind.REQUEST, 21, 1, 1, 1),
            (Kind.REQUEST_NAME, 22, 0, 1, 2),
            (Kind.BORN, 23, 0, 2, 1),
            (Kind.SAMPLE, 150 * MS, 20, 3, 0),
            (Kind.ANSWERED, 200 * MS, 200, 1, 0),
            (Kind.REQUEST_END, 200 * MS, 0, 1, 0),
            (Kind.STEP_DONE, 20, 201 * MS, 1, 0),
            (Kind.STEP_WAITING, 202 * MS, 203 * MS, 2, 0),
        )
    )
    cells |= {Cell.OWNER: 2, Cell.SINCE: ORIGIN_NS + 204 * MS}
    for now in (203 * MS, 400 * MS, 500 * MS):
        session.tick(loop, ORIGIN_NS + now, cells, alive=True)
    return session


def now_ns():
    return ORIGIN_NS + 500 * MS


def make_frame(session):
    """Return a frame as a browser reads it."""
    change = session.journal.take(now_ns())
    frame = wire.describe_frame(session, now_ns(), 1, ["a sentence"], change)
    return read(frame)


def read(value):
    """Encode, and decode as strictly as a browser does."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(wire.encode(value), parse_constant=refuse)


# ------------------------------------------------------------------- the contract


def promised(heading):
    """Return the fields of a table in ARCHITECTURE.md."""
    section = CONTRACT.partition(f"### `{heading}`\n")[2].partition("\n#")[0]
    first_cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]


def test_frame_keeps_its_promise(session):
    """A frame has the fields of ARCHITECTURE.md, and no others."""
    assert sorted(make_frame(session)) == sorted(promised("frame"))


def test_snapshot_is_a_frame(session):
    """A snapshot has the fields of a frame."""
    make_frame(session)
    snapshot = read(wire.describe_snapshot(session, now_ns(), 1, []))

    assert sorted(snapshot) == sorted(promised("frame"))
    assert [each["id"] for each in snapshot["requests"]] == [1]
    assert len(snapshot["stalls"]) == 2


def test_hello_keeps_its_promise(session):
    """A hello has the fields of ARCHITECTURE.md, and no others."""
    hello = read(
        wire.describe_hello(
            session, now_ns(), run="r", demo_url="http://x", skipped=3, snapshot=None
        )
    )

    assert sorted(hello) == sorted(promised("hello"))
    assert hello["protocol"] == 1
    assert hello["demo"] == {"url": "http://x"}
    assert (hello["resumed"], hello["skipped"]) == (True, 3)


def test_names_are_the_documented_ones(session):
    """States and lane kinds have the numbers that ARCHITECTURE.md gives them."""
    hello = wire.describe_hello(
        session, now_ns(), run="", demo_url=None, skipped=0, snapshot={}
    )
    numbered = dict(re.findall(r"\b(\d+) `(\w+)`", CONTRACT))
    states = CONTRACT.partition("States, by index:")[2].partition("\n\n")[0]
    kinds = CONTRACT.partition("Lane kinds, by index:")[2].partition("\n\n")[0]

    assert numbered
    assert [name for _, name in re.findall(r"(\d+) `(\w+)`", states)] == hello["states"]
    assert [name for _, name in re.findall(r"(\d+) `(\w+)`", kinds)] == hello[
        "lane_kinds"
    ]
    assert hello["states"] == [state.name.lower() for state in State]
    assert hello["lane_kinds"] == [kind.name.lower() for kind in LaneKind]
    assert (hello["demo"], hello["resumed"]) == (None, False)


def test_fields_of_the_parts(session):
    """Loops, requests and stalls have every field that others rely on."""
    frame = make_frame(session)
    (loop,), (request,) = frame["loops"], frame["requests"]

    assert set(loop) >= LOOP_FIELDS
    assert set(request) >= REQUEST_FIELDS
    assert set(request["split"]) == SPLIT_FIELDS
    assert all(set(stall) >= STALL_FIELDS for stall in frame["stalls"])
    assert set(frame["counts"]) == {"requests", "finished", "open"}
    assert set(frame["stalls"][0]["victims"]) >= {"count", "delay_ms"}
    assert set(frame["stalls"][0]["culprit"]) == {"file", "line", "function"}
    for field in LOOP_FIELDS | REQUEST_FIELDS | SPLIT_FIELDS | STALL_FIELDS:
        assert field in CONTRACT


def test_state_keeps_its_promise(session):
    """`/api/state` has what others rely on, of what runs and what is over."""
    make_frame(session)
    state = read(wire.describe_state(session, now_ns()))

    assert {"loops", "tasks", "requests", "stalls", "findings"} <= set(state)
    assert set(state["loops"][0]) >= LOOP_FIELDS
    (task,) = state["tasks"]
    assert {"id", "name", "state", "reason", "request"} <= set(task)
    assert (task["name"], task["state"]) == ("main", "running")
    assert [request["id"] for request in state["requests"]] == [2, 1]
    for request in state["requests"]:
        assert set(request["split"]) == SPLIT_FIELDS


# ------------------------------------------------------------------------- values


def test_values(session):
    """The numbers are the ones that happened, from the session's origin on."""
    frame = make_frame(session)
    (loop,), (request,), (first, second) = (
        frame["loops"],
        frame["requests"],
        frame["stalls"],
    )

    assert (frame["seq"], frame["t_ns"], frame["missed"]) == (1, 500 * MS, 0)
    assert frame["notices"] == ["a sentence"]
    assert frame["counts"] == {"requests": 2, "finished": 1, "open": 1}
    assert (loop["pid"], loop["state"], loop["blocked_ms"]) == (77, "blocked", 296)
    assert loop["running"] == {"label": "main", "request": 0, "since_ns": 204 * MS}
    assert 0 < loop["recording_cost"] < 1
    assert 0 < loop["utilisation"] <= 1
    assert (request["start_ns"], request["end_ns"]) == (5, 200 * MS)
    assert (request["scenario"], request["route"]) == ("fast", "/<b>/{id}")
    assert request["split"]["outside_ms"] == 0.000007
    assert sum(request["split"].values()) == pytest.approx(request["total_ms"])
    assert first["culprit"] == {
        "file": "/srv/shop.py",
        "line": 41,
        "function": "report",
    }
    assert (first["start_ns"], first["over"], second["over"]) == (20, True, False)
    assert second["victims"]["count"] == 1


def test_numbers_fit_a_double(session):
    """No number is beyond what a browser holds exactly, and none is NaN."""

    def check(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                check(each)
        elif isinstance(value, int):
            assert abs(value) < 2**53

    make = wire.describe_hello(
        session,
        now_ns(),
        run="",
        demo_url=None,
        skipped=0,
        snapshot=wire.describe_snapshot(session, now_ns(), 1, []),
    )
    for value in (make, make_frame(session), wire.describe_state(session, now_ns())):
        check(read(value))


def test_no_nan():
    """NaN and infinity are refused here, before a browser chokes on them."""
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            wire.encode({"lag_ms": number})


def test_one_line_of_ascii(session):
    """Whatever is in a name, an event is three lines of ASCII."""
    frame = wire.describe_frame(
        session, now_ns(), 1, [], session.journal.take(now_ns())
    )
    data = wire.sse("frame", "run-1", frame)

    assert data.isascii()
    assert data.endswith(b"\n\n")
    assert [line.partition(b":")[0] for line in data.strip().split(b"\n")] == [
        b"id",
        b"event",
        b"data",
    ]


def test_empty_frame():
    """A frame in which nothing happened says so with empty lists and no columns."""
    session = Session(origin_ns=0)
    session.journal.take(0)
    frame = wire.describe_frame(session, 5, 1, [], session.journal.take(5))

    for name in ("strings", "lanes", "requests", "stalls", "loops", "notices"):
        assert frame[name] == []
    assert frame["rows"] is None


@pytest.mark.parametrize("seed", range(20))
def test_columns(seed):
    """Columns decode back to the rows they were made of, in any order of time."""
    chance = random.Random(seed)
    session, told, twin = Session(origin_ns=ORIGIN_NS), Told(), Told()
    journal = session.journal
    for number in range(1, 6):
        journal.add_lane(LaneKind.TASK, loop=1, label=f"lane {number}", t=ORIGIN_NS)
    for _ in range(10):
        for _ in range(chance.randrange(50)):
            t = ORIGIN_NS + chance.randrange(-(10**12), 10**15)
            state, info = chance.choice(list(State)[1:]), chance.randrange(3)
            journal.row(chance.randrange(1, 6), t, state, info, chance.randrange(3))
        change = journal.take(0)
        twin.take(change)
        frame = wire.describe_frame(session, ORIGIN_NS, 1, [], change)
        decoded = decode(read(frame))
        told.take(decoded)

        assert [row._replace(t=row.t + ORIGIN_NS) for row in decoded.rows] == [
            Row(*map(int, row)) for row in change.rows
        ]

    assert told.strings == twin.strings
    assert told.lanes == twin.lanes


def test_page_knows_the_clockwork():
    """What the model counts as a server's own clockwork, the page does."""
    script = (Path(__file__).parents[2] / "static/js/wire.js").read_text()
    (names,) = re.findall(r"CLOCKWORK = new Set\((\[.+?\])\)", script, re.DOTALL)

    assert set(json.loads(names)) == CLOCKWORK.keys()
