"""What the dashboard answers to whoever wants the page as a file of its own.

What that page would ask us later it brings along: each stall in full, and the code of
the lines that are named. We ask ourselves for it, by the same addresses.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio.to_thread
import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response  # noqa: TC002 — FastAPI reads it

from dashboard import __version__
from dashboard.server import wire
from dashboard.server.export_routes import download
from dashboard.server.handout import write_handout
from dashboard.server.routes import find_assets, templates

if TYPE_CHECKING:
    from dashboard.server.dashboard import Dashboard

#: A line of code as rows tell it.
PLACE = re.compile(r".+:\d+ in .+")
#: More code than that nobody reads; each is at most 60 lines.
MAX_PLACES = 300
#: What `encodeURIComponent` leaves as it is.
SAFE = "!'()*~"

router = APIRouter()


@router.get("/api/export/page.html")
async def page(request: Request) -> Response:
    """Export the page with all that is kept as one file, which opens offline."""
    dashboard: Dashboard = request.app.state.dashboard
    hello = _as_recording(dashboard.stream.describe_whole())
    answers = await _ask_ourselves(request, hello["snapshot"])
    html = templates.get_template("index.html").render(
        version=__version__, demo_url=None, recording=hello["recording"]
    )

    def write() -> str:
        data = wire.encode({"hello": hello, "answers": answers})
        return write_handout(html, find_assets("static"), data)

    text = await anyio.to_thread.run_sync(write)
    return download(text, "text/html; charset=utf-8", "page.html")


def _as_recording(hello: dict[str, Any]) -> dict[str, Any]:
    """Return a `hello` that says that nothing of it is live."""
    if hello.get("recording"):
        return hello
    began = datetime.fromtimestamp(hello["origin_unix_ms"] / 1000, UTC)
    begins = [lane[-1] for lane in hello["snapshot"]["lanes"]]
    recording = {
        "name": f"of {began:%Y-%m-%d %H:%M} UTC",
        "from_ns": min(begins, default=0),
        "to_ns": hello["t_ns"],
    }
    return hello | {"demo": None, "recording": recording}


async def _ask_ourselves(
    request: Request, snapshot: dict[str, Any]
) -> dict[str, object]:
    places = [quote(place, safe=SAFE) for place in _places(snapshot)]
    urls = [f"/api/stalls/{stall['id']}" for stall in snapshot["stalls"]]
    urls += [f"/api/source?place={place}" for place in places]
    answers = {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(request.app), base_url=str(request.base_url)
    ) as client:
        for url in urls:
            answer = await client.get(url)
            if answer.status_code == 200:  # 204: code that is not to be had here
                answers[url] = answer.json()
    return answers


def _places(snapshot: dict[str, Any]) -> list[str]:
    """Return the lines that the page may show: of stalls first, then of the rows."""
    culprits = [stall["culprit"] for stall in snapshot["stalls"] if stall["culprit"]]
    places = {
        f"{PurePath(each['file']).name}:{each['line']} in {each['function']}": None
        for each in culprits
    }
    for text in snapshot["strings"]:
        place = text.split("\t")[1:2]
        if place and PLACE.fullmatch(place[0]):
            places[place[0]] = None
    return list(places)[:MAX_PLACES]
