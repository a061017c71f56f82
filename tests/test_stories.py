"""The table of scenarios is complete, bounded, and true to the handlers."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys

import pytest

from dashboard.demo import stories
from dashboard.errors import BadParameter, UnknownScenario

BLOCKING = stories.find("blocking")


def find_code(place):
    """Return the function or class at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def test_basics_are_there():
    """The ids that others rely on never change, and each is used once."""
    ids = [scenario.id for scenario in stories.SCENARIOS]
    fixed = {"fast", "slow", "blocking"}
    fixed |= {"blocking_regex", "blocking_c", "blocking_cpu"}

    assert fixed <= set(ids)
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[a-z][a-z0-9_]*", each) for each in ids)


def test_every_story_is_whole():
    """Every story asks, says where to look, and has two variants to compare."""
    assert len(stories.OURS.stories) >= 23
    assert len({story.id for story in stories.OURS.stories}) == len(
        stories.OURS.stories
    )
    for story in stories.OURS.stories:
        assert story.question
        assert story.look
        assert len(story.variants) >= 2
        assert {variant.story for variant in story.variants} == {story.id}
        for variant in story.variants:
            assert variant.title
            assert "{" in variant.explain, f"{variant.id} tells no number"


def test_a_route_has_one_range():
    """Scenarios that share a route agree on the range of its parameters."""
    ranges = {}
    for scenario in stories.SCENARIOS:
        for each in scenario.params:
            key = (scenario.path, each.name)
            rule = (each.minimum, each.maximum, each.unit)
            assert ranges.setdefault(key, rule) == rule


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
def test_handler_takes_what_the_story_says(scenario):
    """A handler takes the story's parameters, each with a default, and no others."""
    signature = inspect.signature(find_code(scenario.handler))
    found = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default not in (inspect.Parameter.empty, None)
    ]

    assert [parameter.name for parameter in scenario.params] == found


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
def test_source(scenario):
    """The source shown is the handler itself, with its route."""
    source = scenario.source()

    assert f'.get("{scenario.path}")' in source
    assert f"def {scenario.handler.partition(':')[2]}(" in source
    assert all(map(find_code, scenario.helpers))


def test_imports_no_framework():
    """The table can be read in a process that has no FastAPI."""
    code = (
        "import sys; sys.modules['fastapi'] = None; "
        "import dashboard.demo.stories as s; print(len(s.SCENARIOS))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
    )

    assert (f"{len(stories.SCENARIOS)}\n", "") == (done.stdout, done.stderr)


def test_unknown():
    """An unknown id is refused by name, and long ones are cut."""
    with pytest.raises(UnknownScenario, match="no scenario 'nope'"):
        stories.find("nope")
    with pytest.raises(UnknownScenario) as caught:
        stories.find("x" * 10_000)

    assert len(str(caught.value)) < 120


def test_query_fills_defaults():
    """A parameter that is not given takes its default; a given one is kept."""
    assert BLOCKING.query({}) == {"seconds": 2.0}
    assert BLOCKING.query({"seconds": 0}) == {"seconds": 0.0}
    assert BLOCKING.query({"seconds": 10}) == {"seconds": 10.0}
    assert stories.find("fast").query({}) == {}


@pytest.mark.parametrize(
    "value",
    [-0.001, 10.001, 10**400, float("nan"), float("inf"), "2", None, True, [2], {}],
    ids=lambda value: repr(value)[:20],
)
def test_bad_value(value):
    """What is not a number in range is refused with the range in the sentence."""
    with pytest.raises(BadParameter) as caught:
        BLOCKING.query({"seconds": value})

    assert str(caught.value).startswith("seconds must be a number from 0 to 10 s, got ")


def test_unknown_parameter():
    """A parameter that the scenario does not take is refused, not ignored."""
    with pytest.raises(BadParameter, match=r"it takes seconds$"):
        BLOCKING.query({"second": 1})
    with pytest.raises(BadParameter, match=r"it takes none$"):
        stories.find("fast").query({"seconds": 1})


def test_every_code_can_be_read_without_what_it_needs():
    """The buttons show their code also where Celery and drivers are not installed."""
    program = """
import sys
for name in ("celery", "aiosqlite", "psycopg", "asyncpg", "redis"):
    sys.modules[name] = None
from dashboard.demo.scenario import read_code
from dashboard.demo.stories import OURS
for story in OURS.stories:
    for scenario in story.variants:
        for place in (scenario.handler, *scenario.helpers):
            assert "def " in read_code(place).code or "class " in read_code(place).code
print("read")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("read", "")
