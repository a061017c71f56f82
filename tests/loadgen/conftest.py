"""A real server for every test that sends something."""

from __future__ import annotations

import pytest
from raw_servers import Server


@pytest.fixture
def server():
    """A server that answers "ok"."""
    server = Server()
    yield server
    server.stop()
