"""Serve an app for real, for tests that record it."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import uvicorn


@contextmanager
def serving(app, loop):
    """Serve an app in a thread; give a function that gets a path."""
    config = uvicorn.Config(
        app, port=0, loop=loop, http="httptools", log_level="critical"
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def startup_and_tell(sockets=None):
        await startup(sockets=sockets)
        started.set()

    server.startup = startup_and_tell
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(20), "uvicorn did not start within 20 s"
    port = server.servers[0].sockets[0].getsockname()[1]

    def get(path, headers=None, body=None):
        url = f"http://127.0.0.1:{port}{path}"
        request = urllib.request.Request(url, body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                response.read()
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    get.url = f"http://127.0.0.1:{port}".__add__
    try:
        yield get
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "uvicorn did not stop within 20 s"
