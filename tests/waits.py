"""The truth table: every kind of wait that is named, each produced for real.

A case is a program whose task `waiter` waits at the line marked `# here`. It is run
recorded, and what the page would say of that wait is compared with what is true.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib.util
import inspect
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.to_process
import anyio.to_thread
from rings import read_ring

from dashboard import record
from dashboard.server.model.journal import Journal
from dashboard.server.model.loop_model import LoopModel
from dashboard.server.model.splits import Requests
from dashboard.server.model.stalls import Stalls
from dashboard.server.model.waits import whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from rings import Told

#: Long enough to be looked up at the wake, short enough for fifty of them.
WAIT_S = 0.02
CASES: list[Case] = []


class Said(NamedTuple):
    """What was said of one wait."""

    task: str
    reason: str
    where: str


class Case(NamedTuple):
    """One kind of wait."""

    program: Callable[..., Any]
    expected: str
    """What is to be said; `{…}` are filled in by the program's result."""
    needs: tuple[str, ...] = ()
    """Packages and servers without which it cannot be produced."""
    by: str = "waiter"

    @property
    def name(self) -> str:
        return self.program.__name__

    @property
    def group(self) -> str:
        return self.expected.split('"')[0].split(" {")[0].strip()

    def where(self) -> str:
        """Return file, line and function of the line that waits."""
        lines, first = inspect.getsourcelines(self.program)
        (at,) = (n for n, line in enumerate(lines, first) if "# here" in line)
        suffix = "" if self.by == self.name else f".<locals>.{self.by}"
        return f"{os.path.basename(__file__)}:{at} in {self.name}{suffix}"


def case(expected: str, *needs: str, by: str = "waiter") -> Callable[..., Any]:
    """Add a program to the table."""

    def add(program: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(program, expected, needs, by))
        return program

    return add


def missing(each: Case, servers: dict[str, int]) -> str:
    """Say why a case cannot be produced here, or nothing."""
    for need in each.needs:
        if need in ("postgresql", "redis-server"):
            if need not in servers:
                return f"{need} is not installed here"
        elif importlib.util.find_spec(need) is None:
            return f"the package {need} is not installed here"
    return ""


def explained(told: Told) -> list[Said]:
    """Return what the dashboard would say of each wait in a ring."""
    journal = Journal()
    requests = Requests(journal)
    model = LoopModel(1, journal=journal, requests=requests, stalls=Stalls(requests))
    model.names.strings = told.strings
    model.open_lane("loop", told.records[0].t)
    said: list[Said] = []
    explain = model.tasks.explain

    def listen(task: Any, *rest: Any) -> None:
        explain(task, *rest)
        reason = whole(task.reason, task.detail)
        said.append(Said(task.name.rpartition(".")[2], reason, task.where))

    model.tasks.explain = listen  # type: ignore[method-assign]
    model.feed(told.data)
    model.tick(told.records[-1].u + 1, 0, 0)
    return said


def produce(
    each: Case, loop_factory: Any, servers: dict[str, int]
) -> tuple[str, list[Said]]:
    """Run a case recorded; return what should be said, and what is said, of `waiter`."""
    rings = []

    async def main() -> Any:
        with record() as recording:
            rings.append(recording.recorder.ring.path)
            return await each.program(
                *(servers[need] for need in each.needs if need in servers)
            )

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        fill = runner.run(main()) or {}
    said = [one for one in explained(read_ring(rings[0])) if one.task == "waiter"]
    return each.expected.format(**fill), said


async def after(seconds: float, do: Any, *args: Any) -> None:
    """Let something happen a little later."""
    await asyncio.sleep(seconds)
    do(*args)


async def both(*coros: Any) -> None:
    """Run some at once, in tasks of their own."""
    tasks = [asyncio.ensure_future(coro) for coro in coros]
    for task in tasks:
        await task


# ------------------------------------------------------------------ asyncio


@case("sleep 20 ms")
async def sleep() -> None:
    async def waiter() -> None:
        await asyncio.sleep(0.02)  # here

    await both(waiter())


@case('Event "ready", at most 5 s')
async def timeout() -> None:
    ready = asyncio.Event()

    async def waiter() -> None:
        async with asyncio.timeout(5):
            await ready.wait()  # here

    await both(waiter(), after(WAIT_S, ready.set))


@case("Event, at most 20 ms")
async def wait_for() -> None:
    async def waiter() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.02)  # here

    await both(waiter())


@case('Lock "cache" held by lock.<locals>.holder')
async def lock() -> None:
    cache = asyncio.Lock()

    async def holder() -> None:
        async with cache:
            await asyncio.sleep(WAIT_S)

    async def waiter() -> None:
        async with cache:  # here
            pass

    await both(holder(), waiter())


@case('Lock "door.lock" held by lock_by_hand.<locals>.holder')
async def lock_by_hand() -> None:
    class Door:
        lock = asyncio.Lock()

    door = Door()

    async def holder() -> None:
        await door.lock.acquire()
        await asyncio.sleep(WAIT_S)
        door.lock.release()

    async def waiter() -> None:
        await door.lock.acquire()  # here

    await both(holder(), waiter())


@case('Lock "lock"')
async def lock_given_up() -> None:
    """Whoever cancels the wait does not hold the lock."""
    lock = asyncio.Lock()
    await lock.acquire()

    async def waiter() -> None:
        await lock.acquire()  # here

    task = asyncio.create_task(waiter())
    await asyncio.sleep(WAIT_S)
    task.cancel()
    await asyncio.wait([task])


@case('Event "ready"')
async def event() -> None:
    ready = asyncio.Event()

    async def waiter() -> None:
        await ready.wait()  # here

    await both(waiter(), after(WAIT_S, ready.set))


@case('Condition "changed"')
async def condition() -> None:
    changed = asyncio.Condition()

    async def waiter() -> None:
        async with changed:
            await changed.wait()  # here

    async def change() -> None:
        await asyncio.sleep(WAIT_S)
        async with changed:
            changed.notify_all()

    await both(waiter(), change())


@case('Barrier "start" 3/3')
async def barrier() -> None:
    start = asyncio.Barrier(3)

    async def waiter() -> None:
        await start.wait()  # here

    async def other() -> None:
        await asyncio.sleep(WAIT_S)
        await start.wait()

    await both(waiter(), other(), other())


@case('Semaphore "slots"')
async def semaphore() -> None:
    slots = asyncio.Semaphore(1)

    async def waiter() -> None:
        async with slots:  # here
            pass

    await slots.acquire()
    await both(waiter(), after(WAIT_S, slots.release))


@case('Semaphore "slots" 2/2')
async def bounded_semaphore() -> None:
    slots = asyncio.BoundedSemaphore(2)

    async def waiter() -> None:
        async with slots:  # here
            pass

    await slots.acquire()
    await slots.acquire()
    await both(waiter(), after(WAIT_S, slots.release))


@case('Queue.get "jobs" 0/5')
async def queue_get() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(5)

    async def waiter() -> None:
        await jobs.get()  # here

    await both(waiter(), after(WAIT_S, jobs.put_nowait, 1))


@case('Queue.put "jobs" 1/1')
async def queue_put() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(1)
    jobs.put_nowait(1)

    async def waiter() -> None:
        await jobs.put(2)  # here

    await both(waiter(), after(WAIT_S, jobs.get_nowait))


@case('Queue.join "jobs"')
async def queue_join() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    jobs.put_nowait(1)

    async def waiter() -> None:
        await jobs.join()  # here

    await both(waiter(), after(WAIT_S, jobs.task_done))


@case("gather of 2")
async def gather() -> None:
    async def waiter() -> None:
        await asyncio.gather(asyncio.sleep(WAIT_S), asyncio.sleep(WAIT_S))  # here

    await both(waiter())


@case("wait of 2, at most 5 s")
async def wait() -> None:
    async def waiter() -> None:
        tasks = [asyncio.create_task(asyncio.sleep(WAIT_S)) for _ in range(2)]
        await asyncio.wait(tasks, timeout=5)  # here

    await both(waiter())


@case("as_completed")
async def as_completed() -> None:
    async def waiter() -> None:
        for each in asyncio.as_completed([asyncio.sleep(WAIT_S)]):
            await each  # here

    await both(waiter())


@case("TaskGroup")
async def task_group() -> None:
    async def waiter() -> None:
        async with asyncio.TaskGroup() as group:  # here
            group.create_task(asyncio.sleep(WAIT_S))

    await both(waiter())


@case("task task.<locals>.other")
async def task() -> None:
    async def other() -> None:
        await asyncio.sleep(WAIT_S)

    async def waiter() -> None:
        await asyncio.create_task(other())  # here

    await both(waiter())


@case('Future "asyncio.shield()"')
async def shield() -> None:
    async def waiter() -> None:
        await asyncio.shield(asyncio.sleep(WAIT_S))  # here

    await both(waiter())


@case('Future "answer"')
async def future() -> None:
    answer = asyncio.get_running_loop().create_future()

    async def waiter() -> None:
        await answer  # here

    await both(waiter(), after(WAIT_S, answer.set_result, 1))


@case("Future")
async def future_without_a_name() -> None:
    answers = {1: asyncio.get_running_loop().create_future()}

    async def waiter() -> None:
        await answers[1]  # here

    await both(waiter(), after(WAIT_S, answers[1].set_result, 1))


@case("unknown")
async def unknown() -> None:
    """An awaitable of somebody's own making, in nobody's code that is known."""
    done = asyncio.get_running_loop().create_future()

    class Own:
        def __iter__(self) -> Own:
            return self

        def __next__(self) -> Any:
            if not done.done():
                done._asyncio_future_blocking = True
                return done
            raise StopIteration

        def __await__(self) -> Own:
            return self

    async def waiter() -> None:
        await contextlib.AsyncExitStack().enter_async_context(Entered())  # here

    class Entered:
        async def __aexit__(self, *_: object) -> None:
            pass

        def __aenter__(self) -> Own:
            return Own()

    await both(waiter(), after(WAIT_S, done.set_result, 1))


@case("sleep 20 ms", by="numbers")
async def async_generator() -> None:
    """The line is the generator's, which is the user's, too."""

    async def numbers() -> Any:
        yield 1
        await asyncio.sleep(0.02)  # here
        yield 2

    async def waiter() -> None:
        async for _ in numbers():
            pass

    await both(waiter())


@case("sleep 20 ms", by="numbers")
async def anext_of_a_generator() -> None:
    async def numbers() -> Any:
        await asyncio.sleep(0.02)  # here
        yield 1

    async def waiter() -> None:
        await anext(numbers(), None)

    await both(waiter())


@case("sleep 20 ms", by="opened")
async def async_context_manager() -> None:
    @contextlib.asynccontextmanager
    async def opened() -> Any:
        await asyncio.sleep(0.02)  # here
        yield

    async def waiter() -> None:
        async with opened():
            pass

    await both(waiter())


@case("sleep 20 ms")
async def own_awaitable() -> None:
    class Pause:
        def __await__(self) -> Any:
            return asyncio.sleep(0.02).__await__()

    async def waiter() -> None:
        await Pause()  # here

    await both(waiter())


# ---------------------------------------------------- threads and processes


@case("worker thread")
async def to_thread() -> None:
    async def waiter() -> None:
        await asyncio.to_thread(time.sleep, WAIT_S)  # here

    await both(waiter())


@case("worker thread")
async def run_in_executor() -> None:
    async def waiter() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, time.sleep, WAIT_S)  # here

    await both(waiter())


@case("process pool")
async def process_pool() -> None:
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:

        async def waiter() -> None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(pool, time.sleep, WAIT_S)  # here

        await both(waiter())


@case("worker thread")
async def anyio_thread() -> None:
    async def waiter() -> None:
        await anyio.to_thread.run_sync(time.sleep, WAIT_S)  # here

    await both(waiter())


@case("thread token 40/40")
async def thread_token() -> None:
    limiter = anyio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(40)]
    for each in borrowers:
        limiter.acquire_on_behalf_of_nowait(each)

    async def waiter() -> None:
        await anyio.to_thread.run_sync(time.sleep, 0)  # here

    def give_back() -> None:
        for each in borrowers:
            limiter.release_on_behalf_of(each)

    await both(waiter(), after(WAIT_S, give_back))


@case("subprocess pid {pid}")
async def subprocess_wait() -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-Sc", "import time; time.sleep(0.02)"
    )

    async def waiter() -> None:
        await child.wait()  # here

    await both(waiter())
    return {"pid": child.pid}


@case("subprocess pid {pid}")
async def subprocess_communicate() -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-Sc", "print(1)", stdout=asyncio.subprocess.PIPE
    )

    async def waiter() -> None:
        await child.communicate()  # here

    await both(waiter())
    return {"pid": child.pid}


# ------------------------------------------------------------------ sockets


@contextlib.asynccontextmanager
async def silent_server(*answers: bytes) -> Any:
    """Serve connections that hear nothing for a while before each of `answers`."""
    writers = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        for answer in answers:
            await asyncio.sleep(WAIT_S)
            writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in writers:
            writer.close()
        server.close()


@case("socket read 127.0.0.1:{port}")
async def stream_read() -> dict[str, Any]:
    async with silent_server(b"x") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def waiter() -> None:
            await reader.read(1)  # here

        await both(waiter())
        writer.close()
        return {"port": port}


@case("socket read 127.0.0.1:{port}")
async def stream_readline() -> dict[str, Any]:
    async with silent_server(b"hello\n") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def waiter() -> None:
            await reader.readline()  # here

        await both(waiter())
        writer.close()
        return {"port": port}


@contextlib.asynccontextmanager
async def full_connection() -> Any:
    """Connect to somebody who reads nothing, until told to read everything."""
    accepted: asyncio.Queue[socket.socket] = asyncio.Queue()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        client.setblocking(False)
        accepted, _ = server.accept()

    def swallow() -> None:
        with accepted:
            while accepted.recv(1 << 20):
                pass

    thread = threading.Thread(target=swallow)
    try:
        yield client, port, thread.start
    finally:
        client.close()
        if thread.ident is None:
            accepted.close()
        else:
            thread.join(5)


@case("socket write 127.0.0.1:{port}")
async def stream_drain() -> dict[str, Any]:
    async with full_connection() as (client, port, swallow):
        _, writer = await asyncio.open_connection(sock=client)

        async def waiter() -> None:
            writer.write(bytes(1 << 24))
            await writer.drain()  # here

        await both(waiter(), after(WAIT_S, swallow))
        writer.close()
        await writer.wait_closed()
        return {"port": port}


@case("socket read 127.0.0.1:{port}")
async def sock_recv() -> dict[str, Any]:
    async with silent_server(b"x") as port:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)

            async def waiter() -> None:
                await loop.sock_recv(client, 1)  # here

            await both(waiter())
        return {"port": port}


@case("socket write 127.0.0.1:{port}")
async def sock_sendall() -> dict[str, Any]:
    async with full_connection() as (client, port, swallow):
        loop = asyncio.get_running_loop()

        async def waiter() -> None:
            await loop.sock_sendall(client, bytes(1 << 24))  # here

        await both(waiter(), after(WAIT_S, swallow))
        return {"port": port}


@case("socket accept 127.0.0.1:{port}")
async def sock_accept() -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]

        async def waiter() -> None:
            connection, _ = await loop.sock_accept(server)  # here
            connection.close()

        def knock() -> None:
            socket.create_connection(("127.0.0.1", port)).close()

        await both(waiter(), after(WAIT_S, knock))
    return {"port": port}


@contextlib.contextmanager
def closed_door() -> Any:
    """A port whose queue is full: to connect to it takes for ever."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(server.getsockname())
        yield server.getsockname()[1]


@case("connect 127.0.0.1:{port}")
async def sock_connect() -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    with closed_door() as port, socket.socket() as client:
        client.setblocking(False)

        async def waiter() -> None:
            await loop.sock_connect(client, ("127.0.0.1", port))  # here

        task = asyncio.create_task(waiter())
        await asyncio.sleep(WAIT_S)
        task.cancel()
        await asyncio.wait([task])
    return {"port": port}


@case("connect 127.0.0.1:{port}")
async def open_connection() -> dict[str, Any]:
    with closed_door() as port:

        async def waiter() -> None:
            await asyncio.open_connection("127.0.0.1", port)  # here

        task = asyncio.create_task(waiter())
        await asyncio.sleep(WAIT_S)
        task.cancel()
        await asyncio.wait([task])
    return {"port": port}


# -------------------------------------------------------------------- anyio


@case("sleep 20 ms")
async def anyio_sleep() -> None:
    async def waiter() -> None:
        await anyio.sleep(0.02)  # here

    await both(waiter())


@case("sleep forever, at most 5 s")
async def move_on_after() -> None:
    async def waiter() -> None:
        with anyio.move_on_after(5) as scope:
            asyncio.get_running_loop().call_later(WAIT_S, scope.cancel)
            await anyio.sleep_forever()  # here

    await both(waiter())


@case('Event "ready"')
async def anyio_event() -> None:
    ready = anyio.Event()

    async def waiter() -> None:
        await ready.wait()  # here

    await both(waiter(), after(WAIT_S, ready.set))


@case('Lock "cache" held by anyio_lock.<locals>.holder')
async def anyio_lock() -> None:
    cache = anyio.Lock()

    async def holder() -> None:
        async with cache:
            await anyio.sleep(WAIT_S)

    async def waiter() -> None:
        async with cache:  # here
            pass

    await both(holder(), waiter())


@case('Condition "changed"')
async def anyio_condition() -> None:
    changed = anyio.Condition()

    async def waiter() -> None:
        async with changed:
            await changed.wait()  # here

    async def change() -> None:
        await asyncio.sleep(WAIT_S)
        async with changed:
            changed.notify_all()

    await both(waiter(), change())


@case('Semaphore "slots" 1/1')
async def anyio_semaphore() -> None:
    slots = anyio.Semaphore(1, max_value=1)
    await slots.acquire()

    async def waiter() -> None:
        async with slots:  # here
            pass

    await both(waiter(), after(WAIT_S, slots.release))


@case('CapacityLimiter "desks" 1/1')
async def anyio_limiter() -> None:
    desks = anyio.CapacityLimiter(1)
    other = object()
    desks.acquire_on_behalf_of_nowait(other)

    async def waiter() -> None:
        async with desks:  # here
            pass

    await both(waiter(), after(WAIT_S, desks.release_on_behalf_of, other))


@case('stream.receive "inbox" 0/4')
async def anyio_receive() -> None:
    outbox, inbox = anyio.create_memory_object_stream[int](4)

    async def waiter() -> None:
        await inbox.receive()  # here

    with outbox, inbox:
        await both(waiter(), after(WAIT_S, outbox.send_nowait, 1))


@case('stream.send "outbox" 1/1')
async def anyio_send() -> None:
    outbox, inbox = anyio.create_memory_object_stream[int](1)
    outbox.send_nowait(1)

    async def waiter() -> None:
        await outbox.send(2)  # here

    with outbox, inbox:
        await both(waiter(), after(WAIT_S, inbox.receive_nowait))


@case("TaskGroup")
async def anyio_task_group() -> None:
    async def waiter() -> None:
        async with anyio.create_task_group() as group:  # here
            group.start_soon(asyncio.sleep, WAIT_S)

    await both(waiter())


@case("socket read 127.0.0.1:{port}")
async def anyio_socket() -> dict[str, Any]:
    async with silent_server(b"x") as port:

        async def waiter() -> None:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.receive()  # here

        await both(waiter())
        return {"port": port}


@case("subprocess")
async def anyio_process() -> None:
    async def waiter() -> None:
        await anyio.run_process([sys.executable, "-Sc", ""])  # here

    await both(waiter())


@case("signal")
async def anyio_signal() -> None:
    with anyio.open_signal_receiver(signal.SIGUSR2) as signals:

        async def waiter() -> None:
            async for _ in signals:  # here
                break

        await both(waiter(), after(WAIT_S, os.kill, os.getpid(), signal.SIGUSR2))


# ----------------------------------------------------------------- packages

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"


@case("httpx GET 127.0.0.1:{port}", "httpx")
async def httpx_get() -> dict[str, Any]:
    import httpx

    async with silent_server(ANSWER) as port, httpx.AsyncClient() as client:

        async def waiter() -> None:
            await client.get(f"http://127.0.0.1:{port}/secret?token=1")  # here

        await both(waiter())
        return {"port": port}


@case("httpx POST 127.0.0.1:{port}", "httpx")
async def httpx_stream() -> dict[str, Any]:
    import httpx

    head, body = ANSWER[:-2], ANSWER[-2:]
    async with silent_server(head, body) as port, httpx.AsyncClient() as client:

        async def waiter() -> None:
            address = f"http://127.0.0.1:{port}/secret"
            async with client.stream("POST", address) as response:
                async for _ in response.aiter_bytes():  # here
                    pass

        await both(waiter())
        return {"port": port}


@case("aiofiles readline", "aiofiles")
async def aiofiles_readline() -> None:
    import aiofiles

    end, other = os.pipe()

    async def waiter() -> None:
        async with aiofiles.open(end) as file:
            await file.readline()  # here

    await both(waiter(), after(WAIT_S, os.write, other, b"hello\n"))
    os.close(other)


COUNT = """with recursive t(x) as (select 1 union all select x + 1 from t where x < 200000)
select count(*) from t"""


@case("aiosqlite execute", "aiosqlite")
async def aiosqlite_execute() -> None:
    import aiosqlite

    async with aiosqlite.connect(":memory:") as database:

        async def waiter() -> None:
            await database.execute(COUNT)  # here

        await both(waiter())


@case("asyncpg fetch", "asyncpg", "postgresql")
async def asyncpg_fetch(port: int) -> None:
    import asyncpg

    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="postgres", database="postgres", ssl=False
    )

    async def waiter() -> None:
        await connection.fetch("select pg_sleep(0.02)")  # here

    await both(waiter())
    await connection.close()


@case("asyncpg pool", "asyncpg", "postgresql")
async def asyncpg_pool(port: int) -> None:
    import asyncpg

    pool = asyncpg.create_pool(
        host="127.0.0.1",
        port=port,
        user="postgres",
        database="postgres",
        ssl=False,
        min_size=1,
        max_size=1,
    )
    async with pool:

        async def holder() -> None:
            async with pool.acquire():
                await asyncio.sleep(WAIT_S)

        async def waiter() -> None:
            async with pool.acquire():  # here
                pass

        await both(holder(), waiter())


@case("psycopg execute", "psycopg", "postgresql")
async def psycopg_execute(port: int) -> None:
    import psycopg

    where = f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable"
    async with await psycopg.AsyncConnection.connect(where) as connection:

        async def waiter() -> None:
            await connection.execute("select pg_sleep(0.02)")  # here

        await both(waiter())


@case("redis BLPOP, at most 5 s", "redis", "redis-server")
async def redis_blpop(port: int) -> None:
    from redis.asyncio import Redis

    async with Redis(host="127.0.0.1", port=port) as one, Redis(port=port) as two:
        await two.ping()

        async def waiter() -> None:
            async with asyncio.timeout(5):
                await one.blpop("jobs")  # here

        async def push() -> None:
            await asyncio.sleep(WAIT_S)
            await two.lpush("jobs", 1)

        await both(waiter(), push())
