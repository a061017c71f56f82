"""What the dashboard answers about stories: what there is, and what was measured.

Each handler is a few lines over `Dashboard`; nothing here computes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from dashboard.demo import extras
from dashboard.demo.scenario import read_code, shortened
from dashboard.server.presses import budgets
from dashboard.server.routes.page_routes import templates
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from dashboard.demo.scenario import Scenario
    from dashboard.server.dashboard import Dashboard

#: Between one and as many as a screen has lanes for.
COUNTS = (1, 5, 20, 100)

router = APIRouter()


def _dashboard(request: Request) -> Dashboard:
    dashboard: Dashboard = request.app.state.dashboard
    return dashboard


@router.get("/api/scenarios")
async def scenarios(request: Request) -> dict[str, Any]:
    """List what the buttons can send, and the stories that they tell."""
    catalogue = _dashboard(request).catalogue
    return {
        "counts": COUNTS,
        "max_count": budgets.MAX_COUNT,
        "budgets": {
            "in_flight": budgets.MAX_IN_FLIGHT,
            "in_flight_each": budgets.MAX_IN_FLIGHT_EACH,
            "block_s": budgets.MAX_BLOCK_S,
            "bytes": budgets.MAX_BYTES,
        },
        "scenarios": [_describe(scenario) for scenario in catalogue.scenarios],
        "stories": [
            {
                "id": story.id,
                "title": story.title,
                "family": story.family,
                "question": story.question,
                "look": story.look,
                "variants": [variant.id for variant in story.variants],
            }
            for story in catalogue.stories
        ],
    }


def _describe(scenario: Scenario) -> dict[str, Any]:
    others = scenario.others
    return {
        "id": scenario.id,
        "title": scenario.title,
        "subtitle": scenario.subtitle,
        "family": scenario.family,
        "state": scenario.state,
        "path": scenario.address or scenario.path,
        "params": [
            {
                "name": each.name,
                "default": each.default,
                "min": each.minimum,
                "max": each.maximum,
                "unit": each.unit,
            }
            for each in scenario.params
        ],
        "source": _describe_source(scenario.handler),
        "helpers": [_describe_source(helper) for helper in scenario.helpers],
        "story": scenario.story or None,
        "size": scenario.size,
        "others": {"count": others.count, "path": others.path} if others else None,
        "missing": extras.missing(scenario.needs) or None,
    }


def _describe_source(place: str) -> dict[str, Any]:
    """Read the real code of a handler, decorator included, without running it."""
    try:
        found = read_code(place)
    except (OSError, LookupError, SyntaxError) as error:
        # A user's file, which may have changed under us.
        return {"file": "", "line": 1, "function": "", "code": f"# {error}"}
    return {
        "file": found.file,
        "line": found.line,
        "function": found.name,
        "code": found.code,
    }


@router.get("/articles", response_class=HTMLResponse)
async def articles(request: Request) -> Any:
    """Show what the articles say, beside what was measured here so far."""
    results = _dashboard(request).batches.results

    def words(fact: str) -> str:
        scenario, _, name = fact.partition(".")
        return results[scenario].words.get(name, "") if scenario in results else ""

    return templates.TemplateResponse(request, "articles.html", {"words": words})


@router.get("/api/batches/{batch_id}")
async def batch(request: Request, batch_id: str) -> dict[str, Any]:
    """Tell what became of a press, as far as it has come."""
    dashboard = _dashboard(request)
    found = dashboard.batches.find(batch_id)
    if found is None:
        raise HTTPException(
            404, f"There is no batch {shortened(batch_id)}; the latest 200 are kept."
        )
    return wire.describe_batch(found, dashboard.session.origin_ns)


@router.get("/api/results")
async def results(request: Request) -> dict[str, Any]:
    """Tell what was last measured of each scenario."""
    found = _dashboard(request).batches.results
    return {name: wire.describe_result(batch) for name, batch in found.items()}
