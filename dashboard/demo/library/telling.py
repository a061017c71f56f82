"""Shorthands that the stories are written with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dashboard.demo.scenario import Others, Scenario, Story

if TYPE_CHECKING:
    from dashboard.demo.scenario import State

OTHERS = Others()


# Any: the fields of a scenario, each checked where it is declared.
def variant(
    id: str, state: State, title: str, explain: str, *, at: str, **more: Any
) -> Scenario:
    """Return one variant; `at` is its handler, whose route has the same name."""
    function = at.partition(":")[2]
    more.setdefault("path", f"/{function}")
    return Scenario(
        id=id,
        title=title,
        subtitle=more.pop("subtitle", ""),
        family="",
        state=state,
        handler=f"dashboard.demo.{at}",
        helpers=tuple(f"dashboard.demo.{each}" for each in more.pop("uses", ())),
        explain=explain,
        **more,
    )


def story(
    id: str,
    title: str,
    *variants: Scenario,
    family: str,
    question: str,
    look: str,
) -> Story:
    """Return a story whose variants know that they are its."""
    return Story(
        id,
        title,
        family,
        question,
        look,
        tuple(replace(each, story=id, family=family) for each in variants),
    )
