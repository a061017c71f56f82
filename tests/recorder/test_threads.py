"""What goes to a thread or process is told: asked, begun, ended, or given up."""

from __future__ import annotations

import asyncio
import functools
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import anyio
import anyio.to_thread
import pytest
from rings import read_ring

import dashboard
from dashboard.recorder.threads import ThreadHooks
from dashboard.records import Cell, Door, Kind


def work(number=0):
    """Do next to nothing, somewhere else."""
    return number + 1


def names(told):
    """Return name, door and reason of each function that was asked for."""
    return [
        (
            told.strings[record.u & 0xFFFFFFFF].partition("\x1f")[0],
            Door(record.u >> 32 & 0xFF),
            told.strings[record.u >> 40],
        )
        for record in told.of(Kind.THREAD_QUEUED)
    ]


async def until(is_true):
    """Let everybody run until something is true, for 20 s at most."""
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110 - threads and anyio have no event for it
            await asyncio.sleep(0)


@contextmanager
def busy(pool):
    """Keep a pool's only thread busy."""
    door = threading.Event()
    pool.submit(door.wait, 20)
    try:
        yield
    finally:
        door.set()


def test_doors(run):
    """Each way to a thread is told with the function that is meant."""

    async def program():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            return [
                await asyncio.to_thread(work, 1),
                await loop.run_in_executor(None, work, 2),
                await loop.run_in_executor(pool, work, 3),
                await anyio.to_thread.run_sync(work, 4),
                await anyio.to_thread.run_sync(
                    work, 5, limiter=anyio.CapacityLimiter(1)
                ),
            ]

    told = run(program)
    assert program.result == [2, 3, 4, 5, 6]
    assert names(told) == [
        ("work", Door.EXECUTOR, ""),
        ("work", Door.EXECUTOR, ""),
        ("work", Door.EXECUTOR, ""),
        ("work", Door.TOKEN, ""),
        ("work", Door.LIMITER, ""),
    ]
    for record in told.of(Kind.THREAD_QUEUED):
        (begun,) = (r for r in told.of(Kind.THREAD_BEGIN) if r.a == record.a)
        (ended,) = (r for r in told.of(Kind.THREAD_END) if r.a == record.a)
        assert record.t <= begun.t <= ended.t
        assert begun.b == ended.b
    assert told.of(Kind.THREAD_DROPPED) == []


def test_cancelled_in_the_pool(run):
    """An executor call that is cancelled in the line is told to be dropped."""

    async def program():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool, busy(pool):
            future = loop.run_in_executor(pool, work)
            future.cancel()
            with suppress(asyncio.CancelledError):
                await future
            await asyncio.sleep(0)

    told = run(program)
    (queued,) = told.of(Kind.THREAD_QUEUED)
    assert [record.a for record in told.of(Kind.THREAD_DROPPED)] == [queued.a]
    assert told.of(Kind.THREAD_BEGIN) == []


def test_pool_that_is_shut(run):
    """A pool that takes nothing raises as ever, and no call is left in the line."""

    async def program():
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(RuntimeError):
            await asyncio.get_running_loop().run_in_executor(pool, work)

    told = run(program)
    assert len(told.of(Kind.THREAD_QUEUED)) == len(told.of(Kind.THREAD_DROPPED)) == 1


def test_cancelled_before_it_has_a_token(run):
    """A task that is cancelled while it waits for a token never begins."""

    async def program():
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        async with limiter:
            task = asyncio.create_task(anyio.to_thread.run_sync(work))
            await until(lambda: limiter.statistics().tasks_waiting)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    told = run(program)
    (queued,) = told.of(Kind.THREAD_QUEUED)
    (dropped,) = told.of(Kind.THREAD_DROPPED)
    assert queued.a == dropped.a
    assert told.of(Kind.THREAD_BEGIN) == []


def test_abandoned(run):
    """A function that nobody waits for runs on, and that is told."""

    async def program():
        door, begun = threading.Event(), threading.Event()

        def stuck():
            begun.set()
            door.wait(20)

        task = asyncio.create_task(
            anyio.to_thread.run_sync(stuck, abandon_on_cancel=True)
        )
        await until(begun.is_set)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        door.set()

    told = run(program)
    order = [
        record.kind
        for record in told.of(
            Kind.THREAD_QUEUED, Kind.THREAD_BEGIN, Kind.THREAD_DROPPED
        )
    ]
    assert order == [Kind.THREAD_QUEUED, Kind.THREAD_BEGIN, Kind.THREAD_DROPPED]


def test_process_pool(run):
    """A call to a process pool is told from asked to the result."""
    import multiprocessing

    async def program():
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            return await asyncio.get_running_loop().run_in_executor(pool, divmod, 7, 2)

    told = run(program)
    (asked,) = told.of(Kind.PROCESS_CALL)
    (ended,) = told.of(Kind.PROCESS_END)
    assert program.result == (3, 1)
    assert asked.a == ended.a
    assert ended.b == 0
    assert asked.t < ended.t


def test_coroutine_function_is_refused_as_ever(run):
    """What asyncio says in debug mode about a coroutine function is said still."""

    async def wrong():
        raise AssertionError("is never called")

    async def program():
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        with pytest.raises(TypeError):
            await loop.run_in_executor(None, wrong)

    assert run(program).of(Kind.THREAD_QUEUED) == []


def test_tokens(run):
    """How many tokens are taken, and how many tasks wait for one, is in the header."""
    seen = []

    async def program():
        with dashboard.record() as recording:
            limiter = anyio.to_thread.current_default_thread_limiter()
            limiter.total_tokens = 2
            door = threading.Event()
            async with asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(anyio.to_thread.run_sync(door.wait, 20))
                await until(lambda: limiter.statistics().tasks_waiting == 3)
                recording._threads.beat()
                cells = recording.recorder.ring.cells
                seen.extend(
                    cells[cell]
                    for cell in (
                        Cell.TOKENS,
                        Cell.TOKENS_BORROWED,
                        Cell.TOKENS_WAITING,
                    )
                )
                door.set()

    run(program)
    assert seen == [2, 2, 3]


def test_someone_wraps_the_door_while_we_record(loop_factory, ring_dir, monkeypatch):
    """Who wraps anyio's door around ours is called once by later recordings, too."""
    monkeypatch.setattr(anyio.to_thread, "run_sync", anyio.to_thread.run_sync)
    passed = []

    async def program():
        with dashboard.record():
            inner = anyio.to_thread.run_sync

            async def third(*args, **options):
                passed.append(args[1])
                return await inner(*args, **options)

            anyio.to_thread.run_sync = third
            results = [await anyio.to_thread.run_sync(work, 1)]
        results.append(await anyio.to_thread.run_sync(work, 2))
        with dashboard.record():
            results.append(await anyio.to_thread.run_sync(work, 3))
        return results, anyio.to_thread.run_sync is third

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(program()) == ([2, 3, 4], True)
    assert passed == [1, 2, 3]
    # Each recording has the one call that was made while it lasted.
    for path in ring_dir.glob("*.ring"):
        assert names(read_ring(path)) == [("work", Door.TOKEN, "")]


def test_two_loops_and_someone_in_between(ring_dir, monkeypatch):
    """Who wraps anyio's door between two recordings that overlap breaks neither."""
    monkeypatch.setattr(anyio.to_thread, "run_sync", anyio.to_thread.run_sync)

    async def program():
        return await anyio.to_thread.run_sync(work, 1)

    with asyncio.Runner() as first, asyncio.Runner() as second:
        with dashboard.record(first.get_loop()):
            inner = anyio.to_thread.run_sync

            async def third(*args, **options):
                return await inner(*args, **options)

            anyio.to_thread.run_sync = third
            with dashboard.record(second.get_loop()):
                assert first.run(program()) == second.run(program()) == 2
        assert anyio.to_thread.run_sync is third
        assert first.run(program()) == 2
    for path in ring_dir.glob("*.ring"):
        assert names(read_ring(path)) == [("work", Door.TOKEN, "")]


@pytest.mark.parametrize("door", ["anyio", "executor", "partial"])
def test_callable_that_refuses_to_be_asked(loop_factory, door):
    """A proxy whose attributes all raise runs in a thread, and recording lasts."""
    if door == "executor" and loop_factory is not asyncio.new_event_loop:
        pytest.skip("uvloop itself asks the function, recorded or not")

    class Proxy:
        def __getattr__(self, name):
            raise RuntimeError(f"no context for {name}")

        def __call__(self, *args):
            return 7

    async def program():
        loop = asyncio.get_running_loop()
        with dashboard.record() as recording:
            if door == "anyio":
                result = await anyio.to_thread.run_sync(Proxy())
            elif door == "executor":
                result = await loop.run_in_executor(None, Proxy())
            else:
                call = functools.partial(lambda proxy: proxy(), Proxy())
                result = await anyio.to_thread.run_sync(call)
            return result, recording.recorder.enabled

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(program()) == (7, True)


def test_limiter_that_breaks(loop_factory, monkeypatch):
    """A gauge that cannot be read ends the recording, not the function's call."""

    def breaks(self, now_ns=0):
        raise ZeroDivisionError

    monkeypatch.setattr(ThreadHooks, "beat", breaks)

    async def program():
        with dashboard.record() as recording:
            result = await anyio.to_thread.run_sync(work, 1)
            return result, recording.recorder.enabled

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(program()) == (2, False)
