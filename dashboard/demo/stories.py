"""Everything that the demo app offers, by id and by path; importable without FastAPI.

One catalogue feeds the buttons, the triggers, the bounds that the handlers enforce
and the source shown to the audience. It never imports a handler by itself: only
looking up the source does, and that runs nothing of it.
"""

from __future__ import annotations

from dashboard.demo.library import STORIES
from dashboard.demo.scenario import (
    Others,
    Parameter,
    Scenario,
    State,
    Story,
    seconds,
    shortened,
)
from dashboard.errors import UnknownScenario

__all__ = ["Others", "Parameter", "Scenario", "State", "Story", "shortened"]

BASICS: tuple[Scenario, ...] = (
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
        params=(seconds(1, maximum=30),),
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
        params=(seconds(2, maximum=10),),
    ),
    Scenario(
        id="threaded",
        title="threaded",
        subtitle="time.sleep in def: a worker thread does the waiting",
        family="the cure",
        state="thread",
        path="/threaded",
        handler="dashboard.demo.basics:threaded",
        params=(seconds(1, maximum=30),),
    ),
)


class Catalogue:
    """What can be triggered: the basic buttons, our stories, and yours."""

    def __init__(self, stories: tuple[Story, ...] = STORIES) -> None:
        self.stories = stories
        self.scenarios = (
            *BASICS,
            *(variant for story in stories for variant in story.variants),
        )
        self._by_id = {scenario.id: scenario for scenario in self.scenarios}

    def __repr__(self) -> str:
        return f"<Catalogue of {len(self.stories)} stories>"

    @property
    def ids(self) -> set[str]:
        """Every id that is taken, of scenarios and of stories."""
        return {story.id for story in self.stories} | self._by_id.keys()

    def find(self, scenario_id: str) -> Scenario:
        """Return the scenario with that id, or raise `UnknownScenario`."""
        try:
            return self._by_id[scenario_id]
        except KeyError:
            raise UnknownScenario(
                f"there is no scenario {shortened(scenario_id)}; "
                "GET /api/scenarios lists them all"
            ) from None

    def find_parameter(self, path: str, name: str) -> Parameter | None:
        """Return a route's parameter of that name, if a scenario knows it."""
        for scenario in self.scenarios:
            for parameter in scenario.params:
                if scenario.path == path and parameter.name == name:
                    return parameter
        return None


OURS = Catalogue()
SCENARIOS = OURS.scenarios
find = OURS.find
