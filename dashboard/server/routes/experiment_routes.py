"""What the dashboard answers about experiments: start, watch, stop, take the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from dashboard.server.presses.experiment import FIELDS, PRESETS
from dashboard.server.routes.orders import read_order
from dashboard.server.streaming.seats import SeatedStream

if TYPE_CHECKING:
    from dashboard.server.presses.experiment import Experiment

EXAMPLE = '{"preset": "waits", "users": 60, "spawn_rate": 4, "seconds": 20}'

router = APIRouter(prefix="/api/experiment")


def _experiment(request: Request) -> Experiment:
    experiment: Experiment = request.app.state.dashboard.experiment
    return experiment


@router.get("")
async def describe(request: Request) -> dict[str, Any]:
    """Say what can be chosen, and whether one is running."""
    experiment = _experiment(request)
    usual = {name: number for name, _, _, number in FIELDS}
    plans = {preset.id: preset.plan(**usual) for preset in PRESETS}
    return {
        "running": experiment.is_running,
        "preset": experiment.preset,
        "fields": [
            {"name": name, "min": low, "max": high, "default": usual}
            for name, low, high, usual in FIELDS
        ],
        "presets": [
            {
                "id": preset.id,
                "title": preset.title,
                "note": preset.note,
                # How long it takes: so many turns, each its load and this beside it.
                "turns": len(plans[preset.id].turns()),
                "beside_s": plans[preset.id].turn_s - usual["seconds"],
                "variants": [
                    {
                        "name": variant.name,
                        "state": variant.state,
                        "published_rps": variant.published_rps,
                    }
                    for variant in preset.variants
                ],
            }
            for preset in PRESETS
        ],
    }


@router.post("", status_code=202)
async def start(request: Request) -> dict[str, str]:
    """Start one, in a process of its own."""
    names = {"preset", *(name for name, *_ in FIELDS)}
    order = await read_order(request, names, EXAMPLE)
    _experiment(request).start(order)
    return {"experiment": "started"}


@router.delete("", status_code=202)
async def stop(request: Request) -> dict[str, str]:
    """Stop the one that runs; its report so far follows."""
    _experiment(request).stop()
    return {"experiment": "stopping"}


@router.get("/events")
async def events(request: Request) -> SeatedStream:
    """Stream how it goes: `idle`, `starting`, `progress`, `report` or `failed`."""
    experiment = _experiment(request)
    return SeatedStream(
        request.app.state.dashboard.seats,
        lambda is_over: experiment.watch(is_over=is_over),
    )


@router.get("/report.html")
async def report(request: Request) -> FileResponse:
    """Give the last report as one file, to keep."""
    path = _experiment(request).report
    if path is None:
        raise HTTPException(404, "There is no report yet; run an experiment first.")
    return FileResponse(path, filename="loopscope-report.html", media_type="text/html")
