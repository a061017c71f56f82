"""The difference of two recordings in a sentence, and the numbers that it stands on."""

from __future__ import annotations

from tapes import MS, Tape

from dashboard.records import Kind
from dashboard.ring import Identity
from dashboard.server.exports.comparison import compare
from dashboard.server.session import Session


def session_of(*requests, held_ms=0):
    """Return a session that served requests: path, ms ready, ms running."""
    session = Session(origin_ns=0)
    loop = session.add_loop(Identity(77, 1, 0, 0, 0, "asyncio", "3.13", "shop"))
    tape = Tape()
    tape.model = loop.model
    loop.model.names.strings = [""]
    t = 0
    for number, (path, ready_ms, running_ms) in enumerate(requests, 1):
        began, ended = t + ready_ms * MS, t + (ready_ms + running_ms) * MS
        tape.born(number, "serve", t).request(number, number, began)
        tape.put(Kind.REQUEST_NAME, began, 0, number, tape.text("GET", path))
        tape.answered(number, ended).step(number, began, ended, Kind.STEP_DONE)
        t = ended + MS
    if held_ms:
        tape.call("report", t, t + held_ms * MS).poll(t + held_ms * MS, t + 10**9)
    tape.play()
    return session


def test_difference():
    """The route that differs most is told, with its part of the split, and the stalls."""
    before = session_of(*[("/buy", 90, 2)] * 20, ("/fast", 1, 1), held_ms=300)
    after = session_of(*[("/buy", 1, 2)] * 20, ("/fast", 1, 1))
    told = compare(before, after)

    assert told["sentence"] == (
        "GET /buy takes 3.00 ms instead of 92.0 ms (p95), 31 times faster: it spends "
        "1.00 ms instead of 90.0 ms waiting for its turn (mean). "
        "The loop was held for 300 ms in 1 stall before, never held after."
    )
    buy, fast = told["routes"]
    assert buy["sides"][0]["count"] == 20
    assert [side["p95_ms"] for side in fast["sides"]] == [2, 2]
    assert buy["sides"][1]["split"]["running_ms"] == 2


def test_no_difference():
    """Two runs of the same are not made to differ."""
    sentence = compare(session_of(("/a", 1, 10)), session_of(("/a", 1, 11)))["sentence"]

    assert sentence.startswith("No route is clearly faster or slower")


def test_nothing_in_common():
    """Recordings of different routes are said to be that, empty ones as well."""
    told = compare(session_of(("/a", 1, 1)), session_of())

    assert told["sentence"].startswith(
        "No route is in both: GET /a in the first, none in the second."
    )
    assert told["routes"][0]["sides"][1] is None
    # Programs that serve nothing are not measured by routes.
    nothing = compare(session_of(), session_of())["sentence"]
    assert nothing.startswith("The loop was never held")


def test_slower():
    """What has become worse is said as plainly."""
    sentence = compare(session_of(("/a", 1, 1)), session_of(("/a", 1, 3)))["sentence"]

    assert "2.0 times slower" in sentence
