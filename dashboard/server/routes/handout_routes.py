"""What the dashboard answers to whoever wants the page as a file of its own.

What that page would ask us later it brings along: each stall in full, and the code of
the lines that are named, by the addresses at which it would ask. Of a long recording
the worst of them: nobody looks at all.
"""

from __future__ import annotations

import heapq
import itertools
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response  # noqa: TC002 — FastAPI reads it

from dashboard import __version__
from dashboard.server.exports.handout import write_handout
from dashboard.server.recordings.bundle import places_in
from dashboard.server.routes.export_routes import download
from dashboard.server.routes.page_routes import describe_source, find_assets, templates
from dashboard.server.routes.stall_routes import describe_stall
from dashboard.server.streaming import wire

if TYPE_CHECKING:
    from collections.abc import Container

    from dashboard.ring import Identity
    from dashboard.server.dashboard import Dashboard
    from dashboard.server.reading.names import Place

#: More code than that nobody reads; each is at most 60 lines.
MAX_PLACES = 300
#: Of these all is told; of the others what the timeline and the table show.
MAX_STALLS = 300
#: What `encodeURIComponent` leaves as it is.
SAFE = "!'()*~"

router = APIRouter()


@router.get("/api/export/page.html")
async def page(request: Request) -> Response:
    """Export the page with all that is kept as one file, which opens offline."""
    text = await write_page(request.app.state.dashboard)
    return download(text, "text/html; charset=utf-8", "page.html")


async def write_page(dashboard: Dashboard) -> str:
    """Return the page with all that is kept."""
    hello = _as_recording(dashboard.stream.describe_whole())
    answers = await _answer_all(dashboard, hello["snapshot"])
    html = templates.get_template("index.html").render(
        version=__version__, demo_url=None, recording=hello["recording"]
    )

    def write() -> str:
        data = wire.encode({"hello": hello, "answers": answers})
        return write_handout(html, find_assets("static"), data)

    return await anyio.to_thread.run_sync(write)


def _as_recording(hello: dict[str, Any]) -> dict[str, Any]:
    """Return a `hello` that says that nothing of it is live."""
    if hello.get("recording"):
        return hello
    began = datetime.fromtimestamp(hello["origin_unix_ms"] / 1000, UTC)
    begins = [lane[wire.LANE_T] for lane in hello["snapshot"]["lanes"]]
    recording = {
        "name": f"of {began:%Y-%m-%d %H:%M} UTC",
        "from_ns": min(begins, default=0),
        "to_ns": hello["t_ns"],
    }
    return hello | {"demo": None, "recording": recording}


async def _answer_all(
    dashboard: Dashboard, snapshot: dict[str, Any]
) -> dict[str, object]:
    """Return what the page may ask for, by address."""
    session = dashboard.session
    length = itemgetter("duration_ms")
    worst = heapq.nlargest(MAX_STALLS, snapshot["stalls"], key=length)
    numbers = {stall["id"] for stall in worst}
    answers: dict[str, object] = {}
    for stall in [each for each in session.stalls.kept if each.id in numbers]:
        answers[f"/api/stalls/{stall.id}"] = await describe_stall(dashboard, stall)
    named = [
        (loop.identity, list(loop.model.names.strings))
        for loop in session.loops.values()
    ]
    known = await anyio.to_thread.run_sync(_lines, named)
    for told in _places(worst, snapshot["strings"], known):
        source = await describe_source(dashboard, *known[told])
        if source is not None:
            answers[f"/api/source?place={quote(told, safe=SAFE)}"] = source
    return answers


def _lines(
    named: list[tuple[Identity, list[str]]],
) -> dict[str, tuple[Place, Identity]]:
    """Return every line of code that was named, by how it is told; the latest wins."""
    return {
        str(place): (place, identity)
        for identity, strings in named
        for place in places_in(strings)
    }


def _places(
    stalls: list[dict[str, Any]], strings: list[str], known: Container[str]
) -> list[str]:
    """Return the lines that the page may show: of stalls first, then of the rows."""
    culprits = [stall["culprit"] for stall in stalls if stall["culprit"]]
    told = itertools.chain(
        (
            f"{PurePath(each['file']).name}:{each['line']} in {each['function']}"
            for each in culprits
        ),
        (text.split("\t")[1] for text in strings if "\t" in text),
    )
    places = dict.fromkeys(text for text in told if text in known)
    return list(places)[:MAX_PLACES]
