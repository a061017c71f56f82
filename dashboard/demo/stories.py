"""Say which scenarios the demo app offers; pure data, importable without FastAPI.

One table feeds the buttons, the triggers, the bounds that the handlers enforce
and the source shown to the audience. It never imports a handler by itself: only
`source()` does, and that runs nothing of it.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dashboard.errors import BadParameter, UnknownScenario

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["running", "waiting", "blocked", "thread"]
"""What a scenario is about, and so the colour of its button's edge."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a scenario takes, with the range that keeps it harmless."""

    name: str
    default: float
    minimum: float
    maximum: float
    unit: str

    @property
    def rule(self) -> str:
        """Return the allowed range as a sentence without its end."""
        return (
            f"{self.name} must be a number from "
            f"{self.minimum:g} to {self.maximum:g} {self.unit}".rstrip()
        )

    def checked(self, value: object) -> float:
        """Return the value as a float, or raise `BadParameter` naming the range."""
        # A bool is an int to Python and a mistake to everyone else. NaN fails
        # the comparison, so it needs no case of its own.
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if self.minimum <= value <= self.maximum:
                return float(value)
        raise self.refusal(value)

    def refusal(self, value: object) -> BadParameter:
        """Return the error that says why the value cannot be taken."""
        return BadParameter(f"{self.rule}, got {shortened(value)}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One button: a lesson, the endpoint that teaches it, and its parameters."""

    id: str
    title: str
    subtitle: str
    family: str
    state: State
    path: str
    handler: str
    """Where the code is, as `module:function`."""
    params: tuple[Parameter, ...] = ()

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of that name, or raise `BadParameter`."""
        for parameter in self.params:
            if parameter.name == name:
                return parameter
        known = ", ".join(parameter.name for parameter in self.params)
        raise BadParameter(
            f"{self.id} has no parameter {shortened(name)}; "
            + (f"it takes {known}" if known else "it takes none")
        )

    def query(self, given: Mapping[str, object]) -> dict[str, float]:
        """Return every parameter's checked value, the default where none is given."""
        for name in given:
            self.parameter(name)
        return {
            parameter.name: parameter.checked(
                given.get(parameter.name, parameter.default)
            )
            for parameter in self.params
        }

    def source(self) -> str:
        """Return the handler's real code, decorator included, without running it."""
        module, _, function = self.handler.partition(":")
        return inspect.getsource(getattr(importlib.import_module(module), function))


def _seconds(default: float, *, maximum: float) -> Parameter:
    return Parameter("seconds", default, minimum=0, maximum=maximum, unit="s")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        id="fast",
        title="fast",
        subtitle="answers at once",
        family="start here",
        state="running",
        path="/fast",
        handler="dashboard.demo.basics:fast",
    ),
    Scenario(
        id="slow",
        title="slow",
        subtitle="await asyncio.sleep: others go first",
        family="start here",
        state="waiting",
        path="/slow",
        handler="dashboard.demo.basics:slow",
        params=(_seconds(1, maximum=30),),
    ),
    Scenario(
        id="blocking",
        title="blocking",
        subtitle="time.sleep in async def: nobody else goes",
        family="start here",
        state="blocked",
        path="/blocking",
        handler="dashboard.demo.basics:blocking",
        # Every request of the demo app waits for this one: ten seconds make the
        # point to the most patient audience.
        params=(_seconds(2, maximum=10),),
    ),
    Scenario(
        id="threaded",
        title="threaded",
        subtitle="time.sleep in def: a worker thread does the waiting",
        family="the cure",
        state="thread",
        path="/threaded",
        handler="dashboard.demo.basics:threaded",
        params=(_seconds(1, maximum=30),),
    ),
)

_BY_ID = {scenario.id: scenario for scenario in SCENARIOS}
_BY_PATH = {scenario.path: scenario for scenario in SCENARIOS}


def find(scenario_id: str) -> Scenario:
    """Return the scenario with that id, or raise `UnknownScenario`."""
    try:
        return _BY_ID[scenario_id]
    except KeyError:
        raise UnknownScenario(
            f"there is no scenario {shortened(scenario_id)}; "
            "GET /api/scenarios lists them all"
        ) from None


def find_by_path(path: str) -> Scenario | None:
    """Return the scenario served at that route, if one is."""
    return _BY_PATH.get(path)


def shortened(value: object) -> str:
    """Return the value as text short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
