"""What the dashboard answers about recordings: what is kept, as a file to download, and
a file that is dropped on the page, as a page.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException

from dashboard.server.recordings.drops import DropTooLarge
from dashboard.server.recordings.keeper import head_of, write_whole
from dashboard.server.recordings.recording import SUFFIX

if TYPE_CHECKING:
    from dashboard.server.dashboard import Dashboard

#: The page brings its own policy, which lets it draw what it holds. Here it is nobody's
#: page, without an origin: it has no use for our cookie, and cannot ask us for anything.
ALONE = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'"

Ns = Annotated[int | None, Query(ge=-(2**62), le=2**62)]

router = APIRouter()


@router.get("/api/recording", response_class=StreamingResponse)
async def save(
    request: Request,
    last_s: Annotated[float | None, Query(gt=0, le=1e9)] = None,
    from_ns: Ns = None,
    to_ns: Ns = None,
) -> StreamingResponse:
    """Give what is kept as a recording: all, the last seconds, or a stretch.

    Times are the wire's: ns since the session's origin.
    """
    dashboard: Dashboard = request.app.state.dashboard
    session = dashboard.session
    if session.past is not None:
        raise HTTPException(404, "This is a recording already; copy its file.")
    origin_ns, now_ns = session.origin_ns, dashboard.now_ns()
    begin_ns = origin_ns + from_ns if from_ns is not None else 0
    end_ns = origin_ns + to_ns if to_ns is not None else now_ns
    if last_s is not None:
        begin_ns = now_ns - round(last_s * 1e9)
    chunks = dashboard.keeper.cut(begin_ns, end_ns)
    if not chunks:
        raise HTTPException(404, "Nothing is kept of that time any more.")
    is_part = from_ns is not None or to_ns is not None
    name = file_name(time.localtime(), last_s=last_s, is_part=is_part)
    # Packed as it is sent, beside the loop that serves the viewers.
    return StreamingResponse(
        iterate_in_threadpool(write_whole(head_of(session), chunks)),
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def file_name(
    now: time.struct_time, *, last_s: float | None = None, is_part: bool = False
) -> str:
    """Name a recording so that two of them do not meet in one folder of downloads."""
    part = f"-last-{last_s:g}s" if last_s is not None else "-part" if is_part else ""
    return f"loops-{time.strftime('%Y-%m-%d-%H%M%S', now)}{part}{SUFFIX}"


@router.post("/api/recordings", status_code=201)
async def drop(request: Request, name: str = "recording") -> dict[str, str]:
    """Take a recording or a ring as the body, and tell the address of its page."""
    dashboard: Dashboard = request.app.state.dashboard
    try:
        key = await dashboard.drops.take(request.stream(), name)
    except DropTooLarge as error:
        raise HTTPException(413, str(error)) from None
    return {"url": f"/recordings/{key}"}


@router.get("/recordings/{key}", response_class=FileResponse)
async def dropped(request: Request, key: str) -> FileResponse:
    """Show a file that was dropped: the same page, which holds all that it shows."""
    dashboard: Dashboard = request.app.state.dashboard
    page = dashboard.drops.find(key)
    if page is None:
        raise HTTPException(404, "This recording is not kept any more; drop it again.")
    headers = {"Content-Security-Policy": ALONE, "Cache-Control": "no-store"}
    return FileResponse(page, media_type="text/html", headers=headers)
