"""A batch is over when all of it is answered and nothing of it goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.demo import stories
from dashboard.server.presses import batches as module
from dashboard.server.presses.batches import Batches
from dashboard.server.session import Session
from dashboard.server.streaming.inbox import ANSWER_PATIENCE_NS, TriggerInbox

SECOND = 1_000_000_000


@pytest.fixture
def session():
    """A session without loops."""
    return Session(origin_ns=0)


@pytest.fixture
def batches(session):
    """Its batches."""
    return Batches(session)


@pytest.fixture
def inbox(session, batches):
    """What the triggers tell, for a stage whose loop has number 7."""
    return TriggerInbox(session, batches, lambda stage: 7)


def send(inbox, span, batch="b1", scenario="slow", is_other=False):
    """Tell that a request was sent."""
    inbox.sent(
        span,
        span,
        method="GET",
        path="/slow",
        scenario=scenario,
        batch=batch,
        is_other=is_other,
        stage="main",
    )


def settle(inbox, now_ns=10 * SECOND):
    """Deliver everything that is old enough."""
    inbox.deliver_sent()
    inbox.deliver_over(now_ns)


def test_whole_life(inbox, batches, session):
    """It is open until the last answer, and its requests are the session's own."""
    batches.open("b1", stories.find("slow"), 2)
    send(inbox, 1)
    send(inbox, 2, is_other=True)
    inbox.answered(1, SECOND, 200, b"{}")
    settle(inbox)
    batch = batches.find("b1")
    assert not batch.done
    assert batch.explanation() == ""

    inbox.answered(2, SECOND, 200, b"{}")
    settle(inbox)

    assert batch.done
    assert [request.loop for request in batch.requests] == [7, 7]
    assert (len(batch.leads), len(batch.others)) == (1, 1)
    assert batches.results == {"slow": batch}


def test_work_that_goes_on(inbox, batches, session):
    """An answer alone does not end it: what goes on afterwards belongs to it."""
    batches.open("b1", stories.find("background_async"), 1)
    send(inbox, 1)
    inbox.deliver_sent()
    request = session.requests.begin(5, loop=7, span=1)
    session.requests.answer(request, SECOND, 200)
    inbox.answered(1, SECOND, 200, b"{}")
    settle(inbox)
    assert not batches.find("b1").done

    session.requests.end(request, 3 * SECOND)
    settle(inbox)

    assert batches.find("b1").facts["after_ms"] == 2000


def test_records_come_first(inbox, batches):
    """An answer waits for its records; only then the request counts as never seen."""
    batches.open("b1", stories.find("slow"), 1)
    send(inbox, 1)
    inbox.answered(1, SECOND, 200, b"{}")
    settle(inbox, SECOND + ANSWER_PATIENCE_NS)
    assert not batches.find("b1").done

    settle(inbox, SECOND + ANSWER_PATIENCE_NS + 1)

    assert batches.find("b1").done


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (200, b"{}", ""),
        (507, b'{"detail": "the disk is full"}', "the disk is full"),
        (500, b"Internal Server Error", "the demo app answered 500"),
        (500, b'{"detail": [1]}', "the demo app answered 500"),
    ],
)
def test_trouble(inbox, batches, status, body, trouble):
    """What came instead of an answer is told in the app's own sentence."""
    batches.open("b1", stories.find("slow"), 1)
    send(inbox, 1)
    inbox.answered(1, SECOND, status, body)
    settle(inbox)

    assert batches.find("b1").trouble == trouble


def test_expected_refusal(inbox, batches):
    """A story whose handler gives up answers as it should, and has no trouble."""
    batches.open("b1", stories.find("timeout_await"), 1)
    send(inbox, 1)
    inbox.answered(1, SECOND, 504, b'{"detail": "the service took too long"}')
    settle(inbox)

    assert batches.find("b1").trouble == ""


def test_never_sent(inbox, batches):
    """A request that failed before it arrived ends the batch with its reason."""
    batches.open("b1", stories.find("slow"), 1)
    send(inbox, 1)
    inbox.failed(1, SECOND, "the demo app accepts no connections")
    settle(inbox)

    assert batches.find("b1").done
    assert batches.find("b1").trouble == "the demo app accepts no connections"


def test_bounded(batches, monkeypatch):
    """Only the latest are kept, open or not."""
    monkeypatch.setattr(module, "KEEP", 3)
    for i in range(10):
        batches.open(f"b{i}", stories.find("slow"), 1)

    assert [batches.find(f"b{i}") is not None for i in range(10)].count(True) == 3
    assert repr(batches) == "<Batches 3 kept, 3 open>"


def test_text_with_a_mistake(inbox, batches):
    """A sentence that names a fact which is none says so, and breaks nothing."""
    scenario = replace(stories.find("slow"), explain="It took {slowset}.")
    batches.open("b1", scenario, 1)
    send(inbox, 1)
    inbox.answered(1, SECOND, 200, b"{}")
    settle(inbox)

    assert "slowset" in batches.find("b1").explanation()
