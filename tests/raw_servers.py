"""A real server in a thread that answers byte for byte what a test says."""

from __future__ import annotations

import asyncio
import threading

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server(threading.Thread):
    """Answers each request with `answers` in turn; None closes the connection."""

    def __init__(self):
        super().__init__(daemon=True)
        self.answers = [OK]
        self.seen = []
        self.connections = 0
        self.requests = 0
        self.dies_after = None
        self.service_s = 0.0
        self._up = threading.Event()
        self._writers = set()
        self.start()
        assert self._up.wait(10)

    @property
    def url(self):
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def run(self):
        """Serve until `stop`."""
        asyncio.run(self._serve())

    def stop(self):
        """End, and close every connection."""
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self.join(10)

    async def _serve(self):
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._over.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _talk(self, reader, writer):
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.seen.append(request)
                answer = self.answers[self.requests % len(self.answers)]
                self.requests += 1
                is_last = self.requests == self.dies_after
                await asyncio.sleep(self.service_s)
                if is_last:
                    self._over.set()
                if answer is None:
                    break
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
