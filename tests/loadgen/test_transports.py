"""Both clients send the same and understand the same; what fails has a name."""

from __future__ import annotations

import asyncio
import socket
import ssl

import httpx
import pytest

from loadgen.plan import CLIENTS
from loadgen.transports import describe_client, failure_kind, transport_factory

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(params=CLIENTS)
async def transport(request):
    """One user's transport."""
    async with transport_factory(request.param)() as transport:
        yield transport


async def get(transport, url, patience_s=5):
    """Return status and body of one request."""
    request = httpx.Request("GET", url, headers={"x-mark": "7"})
    async with asyncio.timeout(patience_s):
        response = await transport.handle_async_request(request)
        return response.status_code, await response.aread()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, (200, b"ok")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", (503, b"")),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            (200, b"abcde"),
        ),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, (200, b"ok")),
    ],
)
async def test_answers(transport, server, answer, expected):
    """Whatever way an answer is framed, it is read whole."""
    server.answers = [answer]

    assert await get(transport, f"{server.url}/a?b=1") == expected
    assert await get(transport, f"{server.url}/a?b=1") == expected
    assert server.connections == 1
    assert server.seen[0].startswith(b"GET /a?b=1 HTTP/1.1\r\n")
    assert b"x-mark: 7\r\n" in server.seen[0].lower()
    assert f"host: 127.0.0.1:{server.port}\r\n".encode() in server.seen[0].lower()


async def test_answer_that_ends_with_the_connection(transport, server, monkeypatch):
    """A body that only the end of the connection ends is whole then."""
    listener = await asyncio.start_server(one_answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        assert await get(transport, f"http://127.0.0.1:{port}/") == (200, b"all")


async def one_answer(reader, writer):
    """Answer without saying how long, and hang up."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nall")
    writer.close()


async def test_connection_close(transport, server):
    """After an answer that says so, the next request has a new connection."""
    server.answers = [OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")]

    for _ in range(3):
        assert await get(transport, server.url) == (200, b"ok")
    assert server.connections == 3


async def kind_of(transport, url, patience_s=5):
    """Return the name of a failure."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any kind, that is the point
        await get(transport, url, patience_s)
    return failure_kind(caught.value)


async def test_refused(transport):
    """Where nobody listens, the connection is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"

        assert await kind_of(transport, url) == "connection refused"


async def test_no_such_name(transport):
    """A name that does not exist is told from a server that does not."""
    assert await kind_of(transport, "http://nobody.invalid/") == "name not found"


async def test_tls(transport, server):
    """A server that speaks no TLS is a TLS error."""
    server.answers = [b"not tls at all\r\n\r\n"]
    listener = await asyncio.start_server(say_plain, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        assert await kind_of(transport, f"https://127.0.0.1:{port}/") == "TLS error"


async def say_plain(reader, writer):
    """Answer a TLS greeting in plain text."""
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 This is not TLS\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_time_out(transport, server):
    """An answer that does not come in time has its own name."""
    server.service_s = 30

    assert await kind_of(transport, server.url, 0.1) == "timed out"


async def test_lost(transport, server):
    """A connection that ends instead of an answer is lost; the next one is new."""
    server.answers = [None, OK]

    assert await kind_of(transport, server.url) == "connection lost"
    assert await get(transport, server.url) == (200, b"ok")


async def test_not_http(transport, server):
    """An answer that is no HTTP is an error, not an answer."""
    server.answers = [b"SSH-2.0-OpenSSH\r\n\r\n"]

    assert await kind_of(transport, server.url) == "connection lost"


async def test_half_an_answer_is_nobodys(transport, server):
    """What was left of an answer nobody waited for does not answer the next request."""
    server.service_s = 0.2
    server.answers = [OK.replace(b"ok", b"no"), OK]

    given_up = asyncio.create_task(get(transport, server.url))
    for _ in range(4000):
        await asyncio.sleep(0.005)
        if server.requests:
            break
    given_up.cancel()
    await asyncio.wait([given_up])

    assert await get(transport, server.url) == (200, b"ok")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timed out"),
        (httpx.ConnectError("[Errno -2] whatever"), "connection lost"),
        (ssl.SSLError("bad"), "TLS error"),
        (ValueError("what"), "ValueError"),
    ],
)
def test_kinds(error, kind):
    """What nobody thought of is counted by the name of its class."""
    assert failure_kind(error) == kind


@pytest.mark.parametrize("client", CLIENTS)
def test_description(client):
    """A report names what sent, with its version."""
    assert f"httpx {httpx.__version__}" in describe_client(client)
