"""Points by users, percentiles from histograms, failures apart, Little's law."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise

import pytest

from loadgen.plan import Shape, Target, Variant
from loadgen.tally import MAX_SECONDS, Sample, Tally, is_limited

SHAPE = Shape(users=10, spawn_rate=1, run_time_s=20)
VARIANT = Variant("one", (Target("http://localhost/"),))


def told(from_s, to_s, latencies_us, **more):
    """Return one flush of a process; of one target unless lists are given."""
    lists = bool(latencies_us) and isinstance(latencies_us[0], list)
    return {
        "from_s": from_s,
        "to_s": to_s,
        "active": 1.0,
        "latencies_us": latencies_us if lists else [latencies_us],
        "failures": {},
        "late": 0,
        "busy": 0.1,
        "lag_ms": 0.1,
    } | more


@pytest.fixture
def tally():
    """A tally of one variant and one process."""
    tally = Tally(VARIANT, SHAPE, 1)
    tally.begin_turn()
    return tally


def test_rate_is_exact(tally):
    """The rate of a point is its answers over its true length."""
    tally.add(told(0, 0.1003, [1000] * 10))
    tally.add(told(0.1003, 0.2, [1000] * 12))

    (point,) = tally.points()
    assert point["rps"] == 110
    assert point["seconds"] == 0.2


def test_points_follow_the_ramp(tally):
    """Each second of the ramp is a point, and all of the height is one."""
    for tenth in range(200):
        users = SHAPE.users_at(tenth / 10)
        tally.add(told(tenth / 10, tenth / 10 + 0.1, [1000] * users, active=users))

    points = tally.points()
    assert [point["users"] for point in points] == [*range(1, 11), 10]
    assert [point["rps"] for point in points] == [*range(10, 101, 10), 100]


def test_percentiles_against_a_slow_twin(tally):
    """Percentiles agree with sorting everything, to three digits."""
    chance = random.Random(7)
    values = [int(chance.lognormvariate(9, 1.5)) + 1 for _ in range(5000)]
    tally.add(told(0, 1, values))

    (point,) = tally.points()
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    for percentile in (50, 95, 99):
        expected = cuts[percentile - 1] / 1000
        assert point[f"p{percentile}_ms"] == pytest.approx(expected, rel=0.01)
    assert point["max_ms"] == pytest.approx(max(values) / 1000, rel=0.001)
    assert point["mean_ms"] == pytest.approx(statistics.fmean(values) / 1000, abs=0.001)


def test_failures_are_apart(tally):
    """Failures are counted by kind, on their point, and in no percentile."""
    tally.add(told(0, 1, [2000], failures={"timed out": 2, "HTTP 503": 1}))

    (point,) = tally.points()
    totals = tally.totals()
    assert (point["failures"], point["answers"], point["p99_ms"]) == (3, 1, 2.0)
    assert totals["failures_by_kind"] == {"timed out": 2, "HTTP 503": 1}
    assert totals["failure_share"] == 0.75
    assert totals["requests"] == 4


def test_nothing_answered(tally):
    """A run without an answer has a report, with nothing where nothing is known."""
    tally.add(told(0, 1, [], failures={"connection refused": 5}))

    assert tally.points()[0]["p50_ms"] is None
    assert tally.totals()["rps"] == 0
    assert tally.little() is None


def test_nothing_at_all(tally):
    """A run that was stopped before it began has a report, too."""
    assert tally.points() == []
    assert tally.totals()["requests"] == 0
    assert tally.totals()["failure_share"] is None


def test_processes_add_up():
    """Two processes of half the users are as one of all."""
    tally = Tally(VARIANT, SHAPE, 2)
    tally.begin_turn()
    for _ in range(2):
        tally.add(told(10, 11, [1000] * 50, active=5))

    (point,) = tally.points()
    assert (point["users"], point["rps"], point["seconds"]) == (10, 100, 1)
    assert (point["rps_low"], point["rps_high"]) == (100, 100)


def test_turns_share_points(tally):
    """What is repeated falls on the same points, and its spread shows."""
    tally.add(told(10, 11, [1000] * 90, active=10))
    tally.begin_turn()
    tally.add(told(10, 11, [1000] * 110, active=10))

    (point,) = tally.points()
    assert (point["rps"], point["rps_low"], point["rps_high"]) == (100, 90, 110)


def test_hours_are_bounded():
    """A height of hours keeps so many seconds, evenly, and its spread stays true."""
    tally = Tally(VARIANT, Shape(users=1, spawn_rate=1, run_time_s=14_400), 1)
    tally.begin_turn()
    chance = random.Random(1)
    rates = [chance.randint(5, 15) for _ in range(7_200)]
    sample = Sample()
    for second, rate in enumerate(rates):
        for tenth in range(2):
            sample.add_second(1, second, rate // 2 + rate % 2 * tenth, 0.5)
        tally.add(told(second, second + 1, [1000] * rate))

    assert len(sample.seconds) <= MAX_SECONDS
    kept = [second for _, second in sample.seconds]
    assert {later - sooner for sooner, later in pairwise(kept)} == {16}
    assert [answers for answers, _ in sample.seconds.values()] == rates[::16]
    point = tally.points()[-1]
    low, *_, high = statistics.quantiles(rates, n=10)
    assert point["rps_low"] == pytest.approx(low, abs=1)
    assert point["rps_high"] == pytest.approx(high, abs=1)


def test_little(tally):
    """Ten users who wait 100 ms make 100 requests a second, and the deviation says so."""
    tally.add(told(10, 11, [100_000] * 97, active=10))

    little = tally.little()
    assert little["expected_rps"] == 100
    assert little["deviation"] == -0.03


def test_little_needs_time(tally):
    """Before every user was answered a few times, nothing is claimed."""
    tally.add(told(10, 11, [300_000] * 39, active=10))

    assert tally.little() is None


def test_targets_apart():
    """With several targets each has its own latencies, and the point has all."""
    variant = Variant("two", (Target("http://a/"), Target("http://b/", 2)))
    tally = Tally(variant, SHAPE, 1)
    tally.begin_turn()
    tally.add(told(0, 1, [[1000], [3000, 3000]]))

    one, two = tally.totals()["targets"]
    assert (one["answers"], one["p50_ms"]) == (1, 1.0)
    assert (two["answers"], round(two["p50_ms"])) == (2, 3)
    assert tally.points()[0]["answers"] == 3


def test_service_time(tally):
    """The service time is the median of single requests, by weight of the targets."""
    tally.add_alone([[1000, 2000, 90_000]])
    assert tally.totals()["service_ms"] == 2

    variant = Variant("two", (Target("http://a/"), Target("http://b/", 3)))
    two = Tally(variant, SHAPE, 1)
    two.add_alone([[1000], [2000]])
    assert two.totals()["service_ms"] == 1.75


@pytest.mark.parametrize(
    ("busy", "lag_ms", "p50_ms", "expected"),
    [
        (0.5, 0.3, 10.0, False),
        (0.81, 0.3, 10.0, True),
        (0.5, 3.0, 10.0, True),
        (0.5, 3.0, 1000.0, False),
        (0.5, 101.0, 1000.0, True),
        (0.1, 0.1, None, False),
    ],
)
def test_generator_limit(busy, lag_ms, p50_ms, expected):
    """A generator that is busy, or later than what it measures allows, is the limit."""
    assert is_limited(busy, lag_ms, p50_ms) is expected
