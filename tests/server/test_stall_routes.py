"""A stall in full, and the threshold that makes one."""

from __future__ import annotations

import pytest
from tapes import MS, Tape

from dashboard.records import Kind
from dashboard.ring import Identity
from dashboard.server.model.stalls import STALL_NS

OWN_PAGE = "http://127.0.0.1:8000"
SOURCE = "\n".join(f"line_{number} = {number}" for number in range(1, 31))


@pytest.fixture
def stalled(client, app, tmp_path):
    """Line 12 of a file held a loop of the dashboard's up."""
    file = tmp_path / "shop.py"
    file.write_text(SOURCE)
    session = app.state.dashboard.session
    identity = Identity(1, 1, 0, 2**62, 0, "asyncio", "3.13", "shop")
    model = session.add_loop(identity).model
    tape = Tape()
    tape.model = model
    model.names.strings = [""]
    place = tape.text(str(file), 12, "report")
    library = tape.text("/usr/lib/python3/json/encoder.py", 258, "iterencode")
    tape.born(1, "main", 0).step(1, 10, 20)
    tape.put(Kind.FRAME, 50 * MS, 100, library, 0)
    tape.put(Kind.FRAME, 50 * MS, 100, place, 1)
    tape.put(Kind.SAMPLE, 50 * MS, 100, place, 1)
    tape.step(1, 100, 100 + 2 * STALL_NS).play()
    return file


def test_stall(client, stalled):
    """A stall is told with its stack, its samples and the source of its line."""
    told = client.get("/api/stalls/1").json()

    assert told["culprit"] == {"file": str(stalled), "line": 12, "function": "report"}
    assert [(line["function"], line["user"]) for line in told["stack"]] == [
        ("iterencode", False),
        ("report", True),
    ]
    assert told["samples"][0]["share"] == 1.0
    assert told["source"]["line"] == 8
    assert told["source"]["code"].splitlines()[4] == "line_12 = 12"
    assert told["source"]["changed"] is False
    assert told["held_up"] == []


def test_stall_without_source(client, stalled):
    """What cannot be read any more is told without its source."""
    stalled.unlink()

    assert client.get("/api/stalls/1").json()["source"] is None


@pytest.mark.parametrize(("number", "status"), [("2", 404), ("0", 404), ("x", 422)])
def test_no_such_stall(client, number, status):
    """A stall that is not kept is not there."""
    assert client.get(f"/api/stalls/{number}").status_code == status


def test_threshold_is_changed_for_all(client, app):
    """A new threshold is in the next frame, and in force."""
    answer = client.post("/api/settings", json={"stall_ms": 250})

    assert answer.json()["stall_ms"] == 250
    assert client.get("/api/settings").json() == answer.json()
    assert app.state.dashboard.session.stalls.threshold_ns == 250 * MS


@pytest.mark.parametrize(
    "body",
    [
        "",
        "250",
        "[]",
        "{}",
        '{"stall_ms": "250"}',
        '{"stall_ms": true}',
        '{"stall_ms": null}',
        '{"stall_ms": NaN}',
        '{"stall_ms": 19.9}',
        '{"stall_ms": 60001}',
        '{"stall_ms": 1e999}',
        '{"stall_ms": ' + "9" * 401 + "}",
        '{"stall_ms": -' + "9" * 401 + "}",
        '{"stall_ms": ' + "9" * 5000 + "}",
        '{"stall_ms": ' + "[" * 900 + "]" * 900 + "}",
        "[" * 3000,
    ],
)
def test_bad_threshold(client, app, body):
    """What is no threshold is refused in a sentence, and changes nothing."""
    answer = client.post("/api/settings", content=body)

    assert answer.status_code == 422
    assert "stall_ms" in answer.json()["detail"] or "bytes" in answer.json()["detail"]
    assert app.state.dashboard.session.stalls.threshold_ns == 100 * MS


def test_threshold_from_another_page(client):
    """Pages of others may not change it."""
    answer = client.post(
        "/api/settings",
        json={"stall_ms": 250},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert answer.status_code == 403
