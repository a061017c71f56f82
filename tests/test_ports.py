"""Ports are tried by binding them, and nothing is held by accident."""

from __future__ import annotations

import errno
import socket

import pytest

from dashboard.server.programs import ports


@pytest.fixture
def taken():
    """Give a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_taken_port(taken):
    """A port that somebody listens on is reported as in use."""
    with pytest.raises(OSError, match="in use") as caught:
        ports.listen("127.0.0.1", taken)

    assert caught.value.errno == errno.EADDRINUSE


def test_connections_wait():
    """A connection succeeds before any server has taken it."""
    sockets = ports.listen("127.0.0.1", 0)
    try:
        with socket.create_connection(sockets[0].getsockname(), timeout=5) as client:
            assert ports.port_of(sockets) == client.getpeername()[1]
    finally:
        ports.close(sockets)


def test_localhost():
    """A name with several addresses listens on one port for all of them."""
    sockets = ports.listen("localhost", 0)
    found = {listener.getsockname()[1] for listener in sockets}
    ports.close(sockets)

    assert len(found) == 1


def test_find_free_lets_go():
    """A port that was found free can be taken at once."""
    port = ports.find_free("127.0.0.1", 0)

    with socket.create_server(("127.0.0.1", port)) as server:
        assert port == server.getsockname()[1]


def test_find_free_taken(taken):
    """Asking for a taken port is an error, not another port."""
    with pytest.raises(OSError, match="in use"):
        ports.find_free("127.0.0.1", taken)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("::", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_url(host, expected):
    """The address shown is one that a browser on this machine can open."""
    assert expected == ports.url(host, 80)


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux can be asked for it"
)
def test_who_takes_nothing_is_given_up():
    """Each connection that is accepted ends when its other side takes nothing."""
    (listener,) = ports.listen("127.0.0.1", 0)
    with listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            limit_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    assert limit_ms == ports.UNTAKEN_MS


def test_no_delay():
    """asyncio knows our sockets for TCP, and so sends small answers at once."""
    (listener,) = ports.listen("127.0.0.1", 0)

    with listener:
        assert listener.proto == socket.IPPROTO_TCP
