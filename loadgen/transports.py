"""Make the HTTP client of one virtual user: always an `httpx.AsyncBaseTransport`.

One transport and so one connection per user, because a pool that is shared looks at
every connection for every request: 10 ms of computing each at a hundred users. All
of them share one TLS context, because to make one takes 10 ms.
"""

from __future__ import annotations

import importlib.metadata
import socket
import ssl
from typing import TYPE_CHECKING

import httpx

from loadgen.fast import FastTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.plan import Client


def transport_factory(
    client: Client, *, verify: bool = True
) -> Callable[[], httpx.AsyncBaseTransport]:
    """Return what makes one transport per user."""
    context = httpx.create_ssl_context(verify=verify)
    limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
    if client == "fast":
        return lambda: FastTransport(context)
    return lambda: httpx.AsyncHTTPTransport(verify=context, limits=limits)


def describe_client(client: Client) -> str:
    """Name what sends, with its version, for reports."""
    version = importlib.metadata.version
    if client == "fast":
        return f"fast (httpx {version('httpx')} requests, httptools {version('httptools')})"
    return f"httpx {version('httpx')}, httpcore {version('httpcore')}"


def failure_kind(error: BaseException) -> str:
    """Name what went wrong with a request, by the innermost cause that says it."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, TimeoutError | httpx.TimeoutException):
            return "timed out"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, ssl.SSLError):
            return "TLS error"
        if isinstance(cause, socket.gaierror):
            return "name not found"
    texts = " ".join(str(cause) for cause in causes).lower()
    if "refused" in texts or "all connection attempts failed" in texts:
        return "connection refused"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | OSError):
        return "connection lost"
    if isinstance(error, httpx.ProtocolError):
        return "not HTTP"
    return type(error).__name__


def _causes(error: BaseException | None) -> list[BaseException]:
    """Follow what an error was raised from, also into groups, outermost first."""
    found: list[BaseException] = []
    waiting = [error] if error is not None else []
    while waiting and len(found) < 20:
        each = waiting.pop(0)
        if each in found:
            continue
        found.append(each)
        waiting += [
            cause for cause in (each.__cause__, each.__context__) if cause is not None
        ]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
    return found
