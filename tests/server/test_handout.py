"""The page as one file brings along what it would ask for, and of that no more than is read."""

from __future__ import annotations

import json
import re

import pytest
from tapes import MS, Tape

from dashboard.records import Kind
from dashboard.ring import Identity
from dashboard.server.model.stalls import STALL_NS
from dashboard.server.routes import handout_routes

DATA = re.compile(r'data-part="handout">(.+?)</script>', re.DOTALL)


@pytest.fixture
def file(app, client, tmp_path):
    """Lines 1, 2 and 3 of a file have stalled a loop, the second for longest."""
    file = tmp_path / "shop.py"
    file.write_text("one()\ntwo()\nthree()\n")
    session = app.state.dashboard.session
    loop = session.add_loop(Identity(1, 1, 0, 2**62, 0, "asyncio", "3.13", "shop"))
    tape = Tape()
    tape.model = loop.model
    loop.model.names.strings = [""]
    tape.born(1, "main", 0)
    for number, length in enumerate((2, 4, 3), 1):
        place = tape.text(str(file), number, "<module>")
        began_ns = number * 1000 * MS
        tape.put(Kind.SAMPLE, began_ns + 50 * MS, began_ns, place, 1)
        tape.step(1, began_ns, began_ns + length * STALL_NS)
    tape.play()
    return file


def told(client):
    """Return all that the file has with it."""
    return json.loads(DATA.search(client.get("/api/export/page.html").text)[1])


def answers_of(client):
    """Return the answers in it, by the address at which it would ask."""
    return told(client)["answers"]


def test_same_answers(client, file):
    """Each answer in it is what the dashboard itself says at that address."""
    answers = answers_of(client)

    assert len(answers) == 6
    for url, answer in answers.items():
        assert client.get(url).json() == answer


def test_the_longest(client, file, monkeypatch):
    """Of many stalls the longest are told in full, and their lines come first."""
    monkeypatch.setattr(handout_routes, "MAX_STALLS", 2)
    monkeypatch.setattr(handout_routes, "MAX_PLACES", 1)

    assert list(answers_of(client)) == [
        "/api/stalls/2",
        "/api/stalls/3",
        "/api/source?place=shop.py%3A2%20in%20%3Cmodule%3E",
    ]


def test_begins_with_its_oldest_row(app, client):
    """The file's stretch begins with what is told, also if that was before the dashboard."""
    session = app.state.dashboard.session
    began_ns = session.origin_ns - 40_000 * MS
    identity = Identity(1, 1, began_ns, 2**62, 0, "asyncio", "3.13", "shop")
    loop = session.add_loop(identity)
    tape = Tape()
    tape.model = loop.model
    loop.model.names.strings = [""]
    tape.born(1, "main", began_ns)
    tape.step(1, began_ns + MS, began_ns + 2 * MS).play()
    session.journal.take(session.origin_ns)

    assert told(client)["hello"]["recording"]["from_ns"] == -40_000 * MS
