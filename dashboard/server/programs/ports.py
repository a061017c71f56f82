"""Find out whether a port can be had, before anyone builds on it.

Nothing here connects to anybody: a port is tried by binding it, exactly as the
server will.
"""

from __future__ import annotations

import errno
import socket

#: A connection whose other side takes nothing for this long is given up by the kernel:
#: closing it would wait for what is still to be taken. Longer than seats.py's patience.
UNTAKEN_MS = 15_000


def listen(host: str, port: int, *, backlog: int = 2048) -> list[socket.socket]:
    """Listen on every address of `host`, or raise `OSError` if one is taken.

    Connections are accepted by the system from here on, and wait until a server
    takes them. Port 0 takes a free one, the same on each address.
    """
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        wanted = port or (port_of(sockets) if sockets else 0)
        try:
            sockets.append(_listen(family, (address[0], wanted, *address[2:]), backlog))
        except OSError as error:
            # `localhost` has an IPv6 address even where IPv6 is switched off.
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                absent = error
                continue
            close(sockets)
            raise
    if absent and not sockets:
        raise absent
    return sockets


def port_of(sockets: list[socket.socket]) -> int:
    """Return the port that they are bound to."""
    port: int = sockets[0].getsockname()[1]
    return port


def close(sockets: list[socket.socket]) -> None:
    """Close them all, and let the port be taken by others."""
    for listener in sockets:
        listener.close()


def find_free(host: str, port: int) -> int:
    """Return the port itself, or for 0 a free one; raise `OSError` if it is taken.

    Nothing holds it afterwards: whoever needs it takes it right away.
    """
    sockets = listen(host, port, backlog=1)
    try:
        return port_of(sockets)
    finally:
        close(sockets)


def url(host: str, port: int) -> str:
    """Return the address to open in a browser of this machine."""
    # An address that means "every interface" is not one to connect to.
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _listen(family: int, address: tuple[object, ...], backlog: int) -> socket.socket:
    # With its protocol named: asyncio switches off Nagle's delay of small packets for
    # nothing else, and each answer on an open connection would take 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Else a server that just ended would keep us out for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_MS)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener
