"""An httpx transport for one connection: asyncio streams nothing, httptools parses.

About a fifth of the computing of httpx's own, because it knows no pool, no proxy, no
HTTP/2 and no streaming: an answer is whole or it is an error. For load, and nothing
else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools
import httpx

if TYPE_CHECKING:
    import ssl

#: Far more than a handler worth timing sends; an endless answer must end somewhere.
MAX_BODY_BYTES = 256 * 1024 * 1024


class FastTransport(httpx.AsyncBaseTransport):
    """Send requests one after the other over one connection, kept open.

    Raises httpx's own errors: `ConnectError`, `ReadError`, `RemoteProtocolError`.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._connection: _Connection | None = None

    def __repr__(self) -> str:
        return f"<FastTransport {'open' if self._connection else 'closed'}>"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and return the whole answer."""
        content = request.content
        lines = [
            b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path),
            *(b"%b: %b\r\n" % header for header in request.headers.raw),
            b"\r\n",
        ]
        if content:
            lines.append(content)
        connection = self._connection
        if connection is None or connection.is_closed:
            connection = self._connection = await self._connect(request.url)
        try:
            return await connection.exchange(b"".join(lines))
        except BaseException:
            # Half an answer may still come: nobody could tell whose it is.
            await self.aclose()
            raise

    async def _connect(self, url: httpx.URL) -> _Connection:
        is_tls = url.scheme == "https"
        host = url.host
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection,
                host,
                url.port or (443 if is_tls else 80),
                ssl=self._context if is_tls else None,
                server_hostname=host if is_tls else None,
            )
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return connection

    async def aclose(self) -> None:
        """Close the connection, if there is one; waits for nobody."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


class _Connection(asyncio.Protocol):
    """One socket, and the answer that is coming in."""

    def __init__(self) -> None:
        self.is_closed = False
        self._answer: asyncio.Future[httpx.Response] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._bytes = 0
        self._ends_with_connection = False

    def exchange(self, data: bytes) -> asyncio.Future[httpx.Response]:
        """Send a request; the future is its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._headers = []
        self._body = []
        self._bytes = 0
        self._ends_with_connection = False
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(data)
        return self._answer

    def abort(self) -> None:
        """Let go of the socket at once."""
        self.is_closed = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket's writing side."""
        # uvloop's is one by behaviour, not by class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._answer is None:
            self.abort()  # Nobody asked.
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"not an HTTP answer: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that was under way will not come, or this was its end."""
        self.is_closed = True
        if error is None and self._ends_with_connection:
            self.on_message_complete()
        self._fail(httpx.ReadError(str(error or "the server closed the connection")))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(body)
        self._bytes += len(body)
        if self._bytes > MAX_BODY_BYTES:
            self._fail(httpx.ReadError(f"the answer is above {MAX_BODY_BYTES} bytes"))

    def on_headers_complete(self) -> None:
        """See whether only the end of the connection ends the body."""
        names = {name.lower() for name, _ in self._headers}
        self._ends_with_connection = not names & {
            b"content-length",
            b"transfer-encoding",
        }

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        if self._parser.get_status_code() < 200:
            self._headers.clear()  # A hint on the way; the answer follows.
            return
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        if not self._parser.should_keep_alive():
            self.abort()
        answer.set_result(
            httpx.Response(
                self._parser.get_status_code(),
                headers=self._headers,
                # A stream, not content: bytes would be decompressed here and now.
                stream=httpx.ByteStream(b"".join(self._body)),
            )
        )

    def _fail(self, error: httpx.TransportError) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.is_closed = True
        self._transport.abort()
