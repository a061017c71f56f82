"""A dashboard in the test's own process, asked without a network."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.server.settings import Settings


@pytest.fixture
def app(tmp_path):
    """A dashboard without a demo app, whose rings are in a folder of the test's."""
    return create_app(Settings(demo=False, ring_dir=tmp_path / "rings"))


@pytest.fixture
def client(app):
    """A client of a running dashboard, on the dashboard's own page."""
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client
