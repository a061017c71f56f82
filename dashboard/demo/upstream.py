"""Another web service: answers after as long as one asks for, in threads of its own.

Never on the loop of the demo app: a handler that blocks while it asks its own loop
would wait for ever.
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MAX_SECONDS = 30.0


class Upstream(ThreadingHTTPServer):
    """The service, on a free port of this machine alone."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    def start(self) -> str:
        """Serve in a thread until the process ends; return the address."""
        threading.Thread(
            target=self.serve_forever, name="upstream", daemon=True
        ).start()
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Wait, then answer."""
        query = parse_qs(urlsplit(self.path).query)
        seconds = min(float(query.get("seconds", ["0"])[0]), MAX_SECONDS)
        time.sleep(seconds)
        answer = b'{"weather": "fine"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests are seen on the page."""
