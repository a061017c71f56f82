"""Facts are the model's own numbers of a batch's requests, and say what they lack."""

from __future__ import annotations

import pytest

from dashboard.server.model.request import PART_NAMES, Request
from dashboard.server.model.stall import Seen, Stall
from dashboard.server.model.victims import REQUEST, Key, Victim
from dashboard.server.presses.facts import duration, find_facts, held_ns, in_words
from dashboard.server.reading.names import Place

MS = 1_000_000


def request(number, *, begun_ms=0, loop=1, status=200, ended_ms=None, **parts_ms):
    """Return an answered request whose time went as told."""
    spent = dict.fromkeys(PART_NAMES, 0) | {
        name: ms * MS for name, ms in parts_ms.items()
    }
    answered = begun_ms * MS + sum(spent.values())
    return Request(
        number,
        loop,
        begun_ms * MS,
        0,
        status=status,
        answered_ns=answered,
        ended=True,
        ended_ns=answered if ended_ms is None else ended_ms * MS,
        spent_ns=spent,
    )


def stall(start_ms, length_ms, loop=1, culprit=None):
    """Return a stall that is over."""
    found = Stall(1, loop, start_ms * MS, length_ms * MS, "")
    if culprit is not None:
        found.seen["", 0] = Seen(culprit, ())
    return found


def facts_of(leads, others=(), stalls=()):
    """Return the facts with a threshold of 100 ms."""
    return find_facts(list(leads), list(others), list(stalls), ["asyncio"], 100)


def test_times():
    """Fastest, middle and slowest are those of the handler's requests, the wall all."""
    leads = [request(i, begun_ms=i, waiting=10 * i) for i in (1, 2, 3)]

    facts = facts_of(leads)

    assert (facts["fastest_ms"], facts["middle_ms"], facts["slowest_ms"]) == (
        10,
        20,
        30,
    )
    assert facts["wall_ms"] == 33 - 1
    assert (facts["count"], facts["good"], facts["others"]) == (3, 3, 0)


def test_held():
    """What the others waited for the loop is at the door and ready, nothing else."""
    patient = request(2, outside=300, ready=50, waiting=1000, thread=500)

    facts = facts_of([request(1, running=400)], [patient, request(3, ready=2)])

    assert held_ns(patient) == 350 * MS
    assert facts["held_ms"] == 350


def test_tokens():
    """Who waited for a token waited about as long as another had a thread."""
    first = [request(i, thread_queue=2, thread=500) for i in range(40)]
    last = [request(40 + i, thread_queue=501, thread=500) for i in range(5)]

    assert facts_of([*first, *last])["tokens"] == 5
    assert facts_of(first)["tokens"] == 0
    assert facts_of([request(1, waiting=500)])["tokens"] == 0


def test_stall_meanwhile():
    """The longest stall counts that touched the batch, on its loop, with its line."""
    place = Place("/app/shop.py", 8, "pay")
    stalls = [
        stall(-500, 400),
        stall(50, 200, culprit=place),
        stall(60, 900, loop=2),
        stall(10, 120),
        stall(5000, 800),
    ]

    facts = facts_of([request(1, running=1000)], stalls=stalls)

    assert (facts["stalls"], facts["blocked_ms"]) == (2, 200)
    assert facts["culprit"] == "shop.py:8 in pay"


def test_stall_that_is_no_lines_fault():
    """What was long for want of a processor is laid to the machine, not to a line."""
    found = stall(50, 200, culprit=Place("/app/shop.py", 8, "pay"))
    found.threshold_ns, found.starved_ns = 100 * MS, 150 * MS

    facts = facts_of([request(1, running=1000)], stalls=[found])

    assert (facts["culprit"], facts["culprit_line"]) == ("a busy machine", None)


def test_what_something_else_took():
    """A press that is sent while the loop is held by another's step, or behind others in
    line, is told without the time that those took from it, and not as their stall."""
    lead, other = (
        request(1, outside=9000, running=400),
        request(2, outside=9300, ready=80),
    )
    before, behind, own = stall(-500, 7000), stall(6500, 2500), stall(9000, 380)
    behind.blamed, own.blamed = request(7), lead
    for each, delays_ms in (
        (before, (6500, 6500)),
        (behind, (2500, 2500)),
        (own, (0, 380)),
    ):
        for victim, ms in zip((lead, other), delays_ms, strict=True):
            held = Victim("", ms * MS, request=victim)
            each.victims.hold(Key(REQUEST, victim.id), held)

    facts = facts_of([lead], [other], [before, behind, own])

    assert (facts["stalls"], facts["blocked_ms"], facts["foreign_ms"]) == (1, 380, 9000)
    assert (facts["slowest_ms"], facts["wall_ms"], facts["held_ms"]) == (400, 400, 380)
    assert facts_of([lead], [other], [own])["slowest_ms"] == 9400


def test_work_after_the_answer():
    """How long it went on after the answer, and a stall then belongs to it as well."""
    facts = facts_of([request(1, running=5, ended_ms=1005)], stalls=[stall(500, 300)])

    assert facts["after_ms"] == 1000
    assert facts["blocked_ms"] == 300


def test_words_without_a_stall():
    """Where nothing stalled, the words say so rather than zero."""
    words = in_words(facts_of([request(1, running=5)]))

    assert (words["blocked"], words["culprit"]) == ("less than 100 ms", "no line")
    assert words["slowest"] == "5.00 ms"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 µs"),
        (0.1234, "123 µs"),
        (0.9996, "1.00 ms"),
        (9.994, "9.99 ms"),
        (12.34, "12.3 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (12_345, "12.3 s"),
    ],
)
def test_duration(ms, text):
    """A time has three digits, like everywhere on the page."""
    assert duration(ms) == text


def test_nobody():
    """A batch that sent nothing has no facts."""
    assert facts_of([]) == {}
