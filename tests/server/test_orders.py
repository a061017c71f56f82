"""What somebody orders is read up to a bound, however it is sent."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.errors import BadParameter
from dashboard.server.routes.orders import MAX_BODY_BYTES, read_order
from dashboard.server.settings import Settings

POSTS = ("/api/trigger/fast", "/api/settings", "/api/experiment")
#: Takes a file, with a bound of its own, which `test_drops.py` tries.
FILES = {"/api/recordings"}


@pytest.fixture
def client(tmp_path):
    """A client of a running dashboard without a demo app."""
    app = create_app(Settings(demo=False, ring_dir=tmp_path / "rings"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.mark.anyio
async def test_endless_body():
    """A body without a length and without an end is refused at the bound."""
    received = 0

    async def receive():
        nonlocal received
        received += 1024
        return {"type": "http.request", "body": b" " * 1024, "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(BadParameter, match="at most 65536 bytes"):
        await read_order(request, {"count"}, "{}")

    assert received == MAX_BODY_BYTES + 1024


@pytest.mark.parametrize("path", POSTS)
def test_chunks_without_a_length(client, path):
    """Every POST counts what comes in chunks, and says how much it takes."""
    chunks = (b" " * 1024 for _ in range(100))

    answer = client.post(path, content=chunks)

    assert answer.status_code == 422
    assert "at most 65536 bytes" in answer.json()["detail"]


def test_every_post_is_tried(client):
    """The list of POST routes in here is that of the dashboard."""
    paths = client.app.openapi()["paths"]
    posts = {path for path, methods in paths.items() if "post" in methods}

    assert {path.replace("/fast", "/{scenario_id}") for path in POSTS} == posts - FILES
