"""The table of scenarios is complete, bounded, and true to the handlers."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from dashboard.demo import stories
from dashboard.errors import BadParameter, UnknownScenario

BLOCKING = stories.find("blocking")


def test_basics_are_there():
    """The three basic ids never change, and each id and path is used once."""
    ids = [scenario.id for scenario in stories.SCENARIOS]
    paths = [scenario.path for scenario in stories.SCENARIOS]

    assert {"fast", "slow", "blocking"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
def test_defaults_agree(scenario):
    """A handler's own defaults are those of its story, and it takes nothing else."""
    module, _, function = scenario.handler.partition(":")
    signature = inspect.signature(getattr(importlib.import_module(module), function))

    found = {name: param.default for name, param in signature.parameters.items()}

    assert {parameter.name: parameter.default for parameter in scenario.params} == found


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
def test_source(scenario):
    """The source shown is the handler itself, with its route."""
    source = scenario.source()

    assert source.startswith(f'@router.get("{scenario.path}")')
    assert f"def {scenario.id}(" in source


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
