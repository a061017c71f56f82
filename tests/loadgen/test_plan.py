"""A plan is bounded, allowed and in an order that is fair to all variants."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from loadgen.errors import UsageError
from loadgen.plan import (
    Plan,
    Shape,
    Target,
    Variant,
    checked,
    parse_rate,
    usual_processes,
)

SHAPE = Shape(users=100, spawn_rate=1, run_time_s=120)


def plan_of(url="http://127.0.0.1:8001/hello", *, shape=SHAPE, **more):
    """Return a plan for one address."""
    return Plan((Variant("one", (Target(url),)),), shape, **more)


def test_turns_go_there_and_back():
    """Variants are measured in turns, in reverse order every second time."""
    variants = tuple(Variant(name, ()) for name in "abc")

    assert Plan(variants, SHAPE, repeats=3).turns() == [0, 1, 2, 2, 1, 0, 0, 1, 2]


def test_how_long_it_takes():
    """All of it is as many turns, each its load, what prepares it, and what ends it."""
    plan = Plan(tuple(Variant(name, ()) for name in "abc"), SHAPE, repeats=2)

    assert plan.turn_s == 120 + 3
    assert plan.seconds == 6 * 123


def test_users_come_one_by_one():
    """The first user is there at once, the others at the spawn rate, up to the number."""
    assert [SHAPE.users_at(t) for t in (0, 0.9, 1, 50.5, 99, 119)] == [
        *(1, 1, 2),
        *(51, 100, 100),
    ]


def test_points_of_the_ramp():
    """The ramp has twenty points of equal length, the height one."""
    assert SHAPE.window_s == 5
    assert [SHAPE.point_at(t) for t in (0, 4.9, 5, 99.9, 100, 119)] == [
        *(0, 0, 1),
        *(19, 20, 20),
    ]


def test_short_ramp():
    """No point is shorter than a second, so a sudden start has one or two points."""
    sudden = replace(SHAPE, spawn_rate=1000)

    assert {sudden.point_at(t) for t in (0.05, 0.15, 1, 60)} == {0, 1}
    assert sudden.window_s == 1


def test_constant_arrivals():
    """An open model's requests start at equal distances, whoever carries them out."""
    shape = replace(SHAPE, rate=(10, 10), run_time_s=1)

    assert list(shape.arrivals()) == pytest.approx([n / 10 for n in range(10)])
    assert list(shape.arrivals(1, 3)) == pytest.approx([0.1, 0.4, 0.7])


def test_rising_arrivals():
    """With a rate that rises, the numbers add up to the area under the line."""
    shape = replace(SHAPE, rate=(0.5, 100), run_time_s=10)
    times = list(shape.arrivals())
    expected = (0.5 + 100) / 2 * 8 + 100 * 2

    assert len(times) == pytest.approx(expected, abs=1)
    assert times == sorted(times)
    first_second = sum(1 for t in times if t < 1)
    assert first_second == pytest.approx(0.5 + 99.5 / 8 / 2, abs=1)
    assert times[-1] - times[-2] == pytest.approx(0.01)
    assert list(islice(shape.arrivals(), 3)) == times[:3]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8001/hello",
        "http://127.0.0.1/",
        "http://127.1.2.3:1/",
        "https://[::1]:8001/x?y=1",
        "http://app.localhost/",
    ],
)
def test_this_machine(url):
    """Addresses that can only be this machine are allowed."""
    assert checked(plan_of(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://0.0.0.0:8001/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
    ],
)
def test_other_machines(url):
    """Any other is refused unless the user says that it may be loaded."""
    with pytest.raises(UsageError, match="is not this machine; add --allow-remote"):
        checked(plan_of(url))
    assert checked(plan_of(url), allow_remote=True)


@pytest.mark.parametrize(
    "url", ["", "hello", "ftp://localhost/", "http://", "http://[::1", "http://a:b/"]
)
def test_not_an_address(url):
    """What is no address is refused with an example of one."""
    with pytest.raises(UsageError, match="an address looks like http://"):
        checked(plan_of(url))


@pytest.mark.parametrize(
    "change",
    [
        {"users": 0},
        {"users": 2001},
        {"spawn_rate": 0},
        {"spawn_rate": float("nan")},
        {"run_time_s": 0},
        {"run_time_s": 1e9},
        {"warm_up_s": -1},
        {"timeout_s": 0},
        {"rate": (0, 0)},
        {"rate": (1, 1e9)},
    ],
)
def test_bounds(change):
    """Whatever is out of its range is refused with the range."""
    with pytest.raises(UsageError, match=r"must be from .* to .*, got "):
        checked(plan_of(shape=replace(SHAPE, **change)))


@pytest.mark.parametrize("change", [{"processes": 33}, {"repeats": 0}])
def test_bounds_of_the_plan(change):
    """Processes and repeats are bounded as well."""
    with pytest.raises(UsageError, match="must be from 1 to"):
        checked(plan_of(**change))


def test_usual_processes():
    """A process for every fifty users, and none that would have no core of its own."""
    assert [usual_processes(users, 2) for users in (1, 99, 100, 10_000)] == [1, 1, 2, 2]


def test_processes_without_users():
    """A generator process without a user is refused."""
    with pytest.raises(UsageError, match="8 processes cannot share 2 users"):
        checked(plan_of(shape=replace(SHAPE, users=2), processes=8))


def test_rates():
    """A rate is one number, or two that rise."""
    assert parse_rate("500") == (500, 500)
    assert parse_rate("10..500") == (10, 500)
    with pytest.raises(UsageError, match=r"looks like 500 or 10\.\.500, got 'fast'"):
        parse_rate("fast")
    with pytest.raises(UsageError, match="rises from the first"):
        checked(plan_of(shape=replace(SHAPE, rate=(500, 10))))
