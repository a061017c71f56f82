"""What the waits of asyncio and anyio say about themselves.

A table of the coroutines in which a task can be suspended, by module and qualified
name, as they are on Python 3.11 to 3.13, uvloop 0.21 and anyio 4. Nothing is
imported to know it. A name may move in a later version: then the wait is `unknown`.
"""

from __future__ import annotations

import socket
from asyncio import TimerHandle
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.recorder.peek import class_of, peek
from dashboard.records import Detail

if TYPE_CHECKING:
    from collections.abc import Callable

# Plain integers: an enum's member costs a look-up of its own at each use.
SECONDS, FILL, COUNT = int(Detail.SECONDS), int(Detail.FILL), int(Detail.COUNT)
PEER, PID, TIMEOUT = int(Detail.PEER), int(Detail.PID), int(Detail.TIMEOUT)
FOREVER_S = 3.2e9
MAX_TEXT = 64


class Wait:
    """What is found out about one wait: its kind, and what varies from wait to wait."""

    __slots__ = (
        "coro",
        "deadline_ns",
        "details",
        "holder",
        "is_named",
        "lock",
        "text",
        "what",
    )

    def __init__(self, what: str, coro: Any) -> None:
        self.what = what
        self.coro = coro
        self.is_named = False
        """Whether the user's line has a name for what it waits for."""
        self.deadline_ns = 0
        """When its own timer is due, or 0."""
        self.details: list[tuple[int, int]] = []
        self.text = ""
        """A host, a path, a command: what only a string can tell."""
        self.lock: Any = None
        """The lock that it waits for, whose holder may be found out."""
        self.holder: Any = None
        """The task that is known to hold it, or that is waited for."""


class Role(NamedTuple):
    """What it means that a task is suspended in a coroutine of a library."""

    what: str
    tell: Callable[[Wait, list[Any]], None] | None = None
    """Adds what the coroutine's locals say."""
    is_named: bool = False
    """Whether the user's line has a name for it: `Lock "cache"`."""
    is_through: bool = False
    """Whether what it awaits in turn says more, if that is known."""


def nanoseconds(seconds: Any) -> int:
    """Return a duration in ns: -1 if it never ends, 0 if it is none at all."""
    if type(seconds) not in (int, float) or not seconds > 0:
        return 0
    return int(seconds * 1e9) if seconds < FOREVER_S else -1


def _tell_sleep(wait: Wait, found: list[Any]) -> None:
    wait.details.append((SECONDS, nanoseconds(found[0])))
    handle = found[4]
    if type(handle) is TimerHandle:
        wait.deadline_ns = max(0, nanoseconds(handle._when))  # type: ignore[attr-defined]
    elif class_of(handle) == ("uvloop.loop", "TimerHandle"):
        # In C, where only its own method knows.
        wait.deadline_ns = max(0, nanoseconds(handle.when()))


def _tell_timeout(wait: Wait, found: list[Any]) -> None:
    if (at_most := nanoseconds(found[1])) > 0:
        wait.details.append((TIMEOUT, at_most))


def _tell_lock(wait: Wait, found: list[Any]) -> None:
    wait.lock = found[0]


def _tell_anyio_lock(wait: Wait, found: list[Any]) -> None:
    wait.lock = found[0]
    wait.holder = peek(found[0], "_owner_task")


def _fill(wait: Wait, taken: Any, size: Any) -> None:
    if type(taken) is int and type(size) is int and 0 < size < 1 << 31:
        wait.details.append((FILL, taken << 32 | size))


def _tell_empty(wait: Wait, found: list[Any]) -> None:
    _fill(wait, 0, peek(found[0], "_maxsize"))


def _tell_full(wait: Wait, found: list[Any]) -> None:
    size = peek(found[0], "_maxsize")
    _fill(wait, size, size)


def _tell_stream(wait: Wait, found: list[Any]) -> None:
    size = peek(peek(found[0], "_state"), "max_buffer_size")
    if type(size) is float and size.is_integer():
        size = int(size)
    _fill(wait, size if wait.what == "stream.send" else 0, size)


def _tell_semaphore(wait: Wait, found: list[Any]) -> None:
    # asyncio's plain Semaphore forgets how many it began with.
    size = peek(found[0], "_bound_value") or peek(found[0], "_max_value")
    _fill(wait, size, size)


def _tell_limiter(wait: Wait, found: list[Any]) -> None:
    size = peek(found[0], "_total_tokens")
    if type(size) is float and size.is_integer():
        size = int(size)
    _fill(wait, size, size)


def _tell_barrier(wait: Wait, found: list[Any]) -> None:
    _fill(wait, peek(found[0], "_count"), peek(found[0], "_parties"))


def count(wait: Wait, of: Any) -> None:
    """Say how many it waits for, if that can be counted and is not over."""
    if type(of) in (set, list, tuple, dict, frozenset) and of:
        wait.details.append((COUNT, len(of)))


def _tell_group(wait: Wait, found: list[Any]) -> None:
    count(wait, peek(found[0], "_tasks"))


def _tell_wait(wait: Wait, found: list[Any]) -> None:
    count(wait, found[0])
    _tell_timeout(wait, found)


def _tell_child(wait: Wait, found: list[Any]) -> None:
    pid = peek(found[0], "pid")
    if pid is None:
        pid = peek(peek(found[0], "_process"), "pid")
    if type(pid) is int:
        wait.details.append((PID, pid))


# ------------------------------------------------------------------- sockets


def tell_address(wait: Wait, address: Any) -> None:
    """Say who is at the other end, given an address as the socket module has them."""
    if type(address) is str:
        wait.text = address[:MAX_TEXT]
        return
    if type(address) is not tuple or len(address) < 2:
        return
    host, port = address[0], address[1]
    if type(host) is not str or type(port) not in (int, str):
        return
    try:
        # As a number: clients' ports would fill the string table.
        packed = int.from_bytes(socket.inet_pton(socket.AF_INET, host), "big")
        wait.details.append((PEER, packed << 16 | int(port)))
    except (OSError, ValueError):
        shown = f"[{host}]" if ":" in host else host
        wait.text = f"{shown[:MAX_TEXT]}:{port}"


def _tell_peer_of_socket(wait: Wait, found: list[Any]) -> None:
    for each in found:
        if type(each) is socket.socket:
            with suppress(OSError):  # not connected, or gone
                tell_address(wait, each.getpeername())
            return


def _tell_own_address(wait: Wait, found: list[Any]) -> None:
    for each in found:
        if type(each) is socket.socket:
            with suppress(OSError):
                tell_address(wait, each.getsockname())
            return


def _tell_third(wait: Wait, found: list[Any]) -> None:
    tell_address(wait, found[2])


def _tell_connecting(wait: Wait, found: list[Any]) -> None:
    """In C: of all that it refers to, the one pair of a host and a port."""
    for each in found:
        if type(each) is tuple and len(each) in (2, 4) and type(each[0]) is str:
            tell_address(wait, each)
            return


def _tell_host_and_port(wait: Wait, found: list[Any]) -> None:
    tell_address(wait, (found[0], found[1]))


def _tell_looked_up(wait: Wait, found: list[Any]) -> None:
    if type(found[1]) is str:
        wait.text = found[1][:MAX_TEXT]


def _tell_transport(wait: Wait, found: list[Any]) -> None:
    """Say the peer of the stream or protocol whose method this is."""
    transport = peek(found[0], "_transport")
    extra = peek(transport, "_extra")
    if extra is None:
        # TLS stands in between.
        inner = peek(peek(transport, "_ssl_protocol"), "_transport")
        transport = transport if inner is None else inner
        extra = peek(transport, "_extra")
    if type(extra) is dict:
        address = extra.get("peername")
    elif class_of(transport)[0] == "uvloop.loop":
        # Its transports are in C; asking one runs nobody's code.
        address = transport.get_extra_info("peername")
    else:
        address = None
    if address:
        tell_address(wait, address)
    elif type(extra) is dict and "pipe" in extra:
        wait.what = wait.what.replace("socket", "pipe")


# ------------------------------------------------------------------ the table

_READ = Role("socket read", _tell_transport)
_WRITE = Role("socket write", _tell_transport)
_LOOK_UP = Role("name lookup", _tell_looked_up)
_CHILD = Role("subprocess", _tell_child)
_THREAD = Role("worker thread", is_through=True)
_LIMITER = Role("CapacityLimiter", _tell_limiter, is_named=True)
_SELECTOR = "asyncio.selector_events:BaseSelectorEventLoop"
_ANYIO = "anyio._backends._asyncio"

ROLES: dict[str, Role] = {
    "asyncio.tasks:sleep": Role("sleep", _tell_sleep),
    "asyncio.locks:Lock.acquire": Role("Lock", _tell_lock, is_named=True),
    "asyncio.locks:Event.wait": Role("Event", is_named=True),
    "asyncio.locks:Condition.wait": Role("Condition", is_named=True),
    "asyncio.locks:Condition.wait_for": Role("Condition", is_named=True),
    "asyncio.locks:Semaphore.acquire": Role(
        "Semaphore", _tell_semaphore, is_named=True
    ),
    "asyncio.locks:Barrier.wait": Role("Barrier", _tell_barrier, is_named=True),
    "asyncio.queues:Queue.get": Role("Queue.get", _tell_empty, is_named=True),
    "asyncio.queues:Queue.put": Role("Queue.put", _tell_full, is_named=True),
    "asyncio.queues:Queue.join": Role("Queue.join", is_named=True),
    "asyncio.taskgroups:TaskGroup.__aexit__": Role("TaskGroup", _tell_group),
    "asyncio.tasks:wait": Role("wait", _tell_wait),
    "asyncio.tasks:wait_for": Role("wait_for", _tell_timeout, is_through=True),
    "asyncio.tasks:as_completed.<locals>._wait_for_one": Role("as_completed"),
    "asyncio.tasks:_AsCompletedIterator._wait_for_one": Role("as_completed"),
    "asyncio.threads:to_thread": _THREAD,
    "asyncio.subprocess:Process.wait": _CHILD,
    "asyncio.subprocess:Process.communicate": _CHILD,
    "asyncio.streams:open_connection": Role("connect", _tell_host_and_port),
    "asyncio.streams:StreamReader.read": _READ,
    "asyncio.streams:StreamReader.readline": _READ,
    "asyncio.streams:StreamReader.readexactly": _READ,
    "asyncio.streams:StreamReader.readuntil": _READ,
    "asyncio.streams:StreamWriter.drain": _WRITE,
    "asyncio.streams:StreamWriter.wait_closed": Role("socket close", _tell_transport),
    "asyncio.base_events:BaseEventLoop.create_connection": Role("connect"),
    "asyncio.base_events:BaseEventLoop.getaddrinfo": _LOOK_UP,
    "asyncio.base_events:Server.serve_forever": Role("serve_forever"),
    "asyncio.base_events:Server.wait_closed": Role("server close"),
    f"{_SELECTOR}.sock_recv": Role("socket read", _tell_peer_of_socket),
    f"{_SELECTOR}.sock_recv_into": Role("socket read", _tell_peer_of_socket),
    f"{_SELECTOR}.sock_recvfrom": Role("socket read", _tell_peer_of_socket),
    f"{_SELECTOR}.sock_sendall": Role("socket write", _tell_peer_of_socket),
    f"{_SELECTOR}.sock_accept": Role("socket accept", _tell_own_address),
    f"{_SELECTOR}.sock_connect": Role("connect", _tell_third),
    # uvloop's are in C and have no module.
    "Loop.sock_recv": Role("socket read", _tell_peer_of_socket),
    "Loop.sock_recv_into": Role("socket read", _tell_peer_of_socket),
    "Loop.sock_sendall": Role("socket write", _tell_peer_of_socket),
    "Loop.sock_accept": Role("socket accept", _tell_own_address),
    "Loop.sock_connect": Role("connect", _tell_connecting),
    "Loop.create_connection": Role("connect"),
    "Loop.getaddrinfo": Role("name lookup"),
    "Server.serve_forever": Role("serve_forever"),
    # anyio: most of it ends in asyncio's Event or a bare future.
    "anyio._core._eventloop:sleep_forever": Role("sleep forever"),
    "anyio._core._sockets:connect_tcp": Role("connect", _tell_host_and_port),
    "anyio._core._synchronization:Condition.wait": Role("Condition", is_named=True),
    "anyio._core._subprocesses:run_process": Role("subprocess"),
    "anyio.streams.memory:MemoryObjectReceiveStream.receive": Role(
        "stream.receive", _tell_stream, is_named=True
    ),
    "anyio.streams.memory:MemoryObjectSendStream.send": Role(
        "stream.send", _tell_stream, is_named=True
    ),
    f"{_ANYIO}:Event.wait": Role("Event", is_named=True),
    f"{_ANYIO}:Lock.acquire": Role("Lock", _tell_anyio_lock, is_named=True),
    f"{_ANYIO}:Semaphore.acquire": Role("Semaphore", _tell_semaphore, is_named=True),
    f"{_ANYIO}:CapacityLimiter.acquire_on_behalf_of": _LIMITER,
    f"{_ANYIO}:TaskGroup.__aexit__": Role("TaskGroup", _tell_group),
    f"{_ANYIO}:TaskGroup.start": Role("TaskGroup.start"),
    f"{_ANYIO}:Process.wait": _CHILD,
    f"{_ANYIO}:SocketStream.receive": _READ,
    f"{_ANYIO}:SocketStream.send": _WRITE,
    f"{_ANYIO}:UNIXSocketStream.receive": Role("socket read"),
    f"{_ANYIO}:UNIXSocketStream.send": Role("socket write"),
    f"{_ANYIO}:TCPSocketListener.accept": Role("socket accept"),
    f"{_ANYIO}:UNIXSocketListener.accept": Role("socket accept"),
    f"{_ANYIO}:UDPSocket.receive": Role("socket read"),
    f"{_ANYIO}:ConnectedUDPSocket.receive": Role("socket read"),
    f"{_ANYIO}:AsyncIOBackend.wait_readable": Role("socket read"),
    f"{_ANYIO}:AsyncIOBackend.wait_writable": Role("socket write"),
    f"{_ANYIO}:AsyncIOBackend.run_sync_in_worker_thread": _THREAD,
    f"{_ANYIO}:_SignalReceiver.__anext__": Role("signal"),
    "anyio.to_process:run_sync": Role("process pool"),
}
