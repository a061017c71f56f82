"""What the buttons may spend is bounded, alone and together, and comes back."""

from __future__ import annotations

import threading

import pytest

from dashboard.demo.stories import OURS
from dashboard.errors import BadParameter, OverBudget
from dashboard.server.presses.budgets import (
    MAX_IN_FLIGHT,
    MAX_IN_FLIGHT_EACH,
    NOTHING,
    Budgets,
    Price,
    price_of,
)


@pytest.fixture
def budgets():
    """Budgets of which nothing is spent."""
    return Budgets()


@pytest.mark.parametrize(
    ("leads", "price", "sentence"),
    [
        (31, Price(block_s=2), "31 of these would hold the loop for 62 s, at most 60"),
        (11, Price(bytes=1e8), "11 of these would write 1100 MB, at most 1000 MB"),
    ],
)
def test_too_much_for_one_press(budgets, leads, price, sentence):
    """A press that could never be carried out is refused for what it is."""
    with pytest.raises(BadParameter, match=sentence):
        budgets.take("some", leads, 20, price)

    assert budgets.in_flight == 0


@pytest.mark.parametrize(
    ("taken", "price", "sentence"),
    [
        (30, Price(block_s=2), "still for 60 s already and 2 s more would exceed 60 s"),
        (10, Price(bytes=1e8), "1000 MB are being written and 100 MB more would"),
        (200, NOTHING, "200 requests of one are under way and 1 more would exceed 200"),
    ],
)
def test_too_much_just_now(budgets, taken, price, sentence):
    """What is under way leaves no room until some of it is answered."""
    budgets.take("one", taken, 0, price)
    with pytest.raises(OverBudget, match=sentence):
        budgets.take("one", 1, 0, price)
    budgets.give_back("one", price)
    budgets.take("one", 1, 0, price)

    assert budgets.in_flight == taken


def test_overall(budgets):
    """All scenarios together have a bound, too, and what is beside a press counts."""
    for name in ("one", "other"):
        budgets.take(name, MAX_IN_FLIGHT_EACH - 20, 20, NOTHING)
    with pytest.raises(OverBudget, match=f"exceed {MAX_IN_FLIGHT}; wait until"):
        budgets.take("third", 1, 0, NOTHING)


def test_everything_comes_back(budgets):
    """After the last answer nothing is spent, whatever fractions were added up."""
    price = Price(block_s=0.1, bytes=0.3)
    for _ in range(3):
        budgets.take("one", 7, 0, price)
    for _ in range(21):
        budgets.give_back("one", price)

    assert repr(budgets) == "<Budgets 0 requests, 0 s, 0 bytes>"


def test_presses_at_the_same_moment(budgets):
    """Of fifty presses at once as many are taken as there is room for, the rest not."""
    outcomes = []
    together = threading.Barrier(50)

    def press(number):
        together.wait(20)
        try:
            budgets.take(f"scenario {number}", 20, 0, NOTHING)
        except OverBudget:
            outcomes.append("refused")
        else:
            outcomes.append("taken")

    presses = [threading.Thread(target=press, args=[number]) for number in range(50)]
    for each in presses:
        each.start()
    for each in presses:
        each.join(20)

    assert sorted(outcomes) == ["refused"] * 30 + ["taken"] * 20
    assert budgets.in_flight == MAX_IN_FLIGHT


@pytest.mark.parametrize("scenario", OURS.scenarios, ids=lambda scenario: scenario.id)
def test_every_story_can_be_told(budgets, scenario):
    """Each scenario's own cast, with its own numbers, is within the budgets."""
    others = scenario.others.count if scenario.others else 0
    price = price_of(scenario, scenario.query({}))

    budgets.take(scenario.id, scenario.size, others, price)
    assert (price.block_s > 0) == (scenario.state == "blocked")


@pytest.mark.parametrize(
    ("scenario", "params", "price"),
    [
        ("blocking", {"seconds": 3}, Price(block_s=3)),
        ("slow", {"seconds": 30}, NOTHING),
        ("blocking_c", {"millions": 400}, Price(block_s=10)),
        ("blocking_regex", {"length": 27}, Price(block_s=12)),
        ("write", {"num_chars": 7}, Price(bytes=7)),
    ],
)
def test_price(scenario, params, price):
    """What a request may cost follows from its numbers, and waiting costs nothing."""
    found = OURS.find(scenario)

    assert price_of(found, found.query(params)) == price
