"""Each wait is named right, with the right line; what cannot be named is unknown."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from servers import database_servers
from waits import CASES, missing, produce

import dashboard
from dashboard.records import Kind
from dashboard.server.model.waits import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from waits import Case

#: On a busy machine a wait can be over before it has lasted.
TRIES = 3


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, int]]:
    """The database servers that are installed here, by name, with their ports."""
    with database_servers() as ports:
        yield ports


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.name)
def test_the_truth(each: Case, loop_factory, servers):
    """A real wait is told as what it is, at the line where it is."""
    if reason := missing(each, servers):
        pytest.skip(reason)

    for _ in range(TRIES):
        expected, said = produce(each, loop_factory, servers)
        if (expected, each.where()) in [(one.reason, one.where) for one in said]:
            return
    pytest.fail(f"not {expected!r} at {each.where()}, but {said}")


def test_named_while_it_lasts(told):
    """A loop that has nothing to do names what it waits for: nobody waits for a beat."""

    looks = []

    async def main():
        async def waiter():
            await asyncio.Event().wait()

        with dashboard.record() as recording:
            recorder = recording.recorder
            look = recorder.look

            def looking(now_ns):
                look(now_ns)
                looks.append((now_ns, recorder.now_ns()))

            recorder.look = looking
            recording._watchdog.stop()
            task = asyncio.create_task(waiter())
            for _ in range(200):
                await asyncio.sleep(0.1)
                if recorder.tasks[id(task)].named:
                    break
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(main())

    records = told()
    task = records.task(".waiter")
    (reason, *_) = (record for record in records.of(Kind.REASON) if record.a == task)
    assert records.strings[reason.b].startswith("Event\x1f")
    assert any(began <= reason.t <= ended for began, ended in looks)


# ------------------------------------------------------------------ who woke it


def wakers(told, task: str = ".waiter") -> list[tuple[str, str]]:
    """Return who woke a task each time: the kind, and the task's or callback's name."""
    names = {
        record.a: told.strings[record.b].split("\x1f")[0].rpartition(".")[2]
        for record in told.of(Kind.BORN, Kind.ADOPTED)
    }
    found = []
    for record in told.of(Kind.WAKE):
        if record.a == told.task(task):
            kind, no, name = origin_of(record.u)
            found.append((kind, names.get(no, told.strings[name].split("\x1f")[0])))
    return found


def run(loop_factory, program):
    """Run a coroutine recorded, on a loop of that kind."""

    async def main():
        with dashboard.record():
            await program

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


async def waiting(wake: Callable[[asyncio.Event], Any]) -> None:
    """Have a task `waiter` wait for an event that `wake` sets."""
    event = asyncio.Event()

    async def waiter():
        await event.wait()

    task = asyncio.create_task(waiter())
    await asyncio.sleep(0)
    done = wake(event)
    await task
    if done is not None:
        done()


def test_woken_by_a_task(loop_factory, told):
    """A task that sets an event is who woke those that waited for it."""

    async def setter():
        async def other():
            event.set()

        event = asyncio.Event()

        async def waiter():
            await event.wait()

        task = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        await asyncio.create_task(other())
        await task

    run(loop_factory, setter())

    assert wakers(told()) == [("task", "other")]


def test_woken_by_a_timer(loop_factory, told):
    """So is a timer, also one of the user's own."""

    def wake(event):
        asyncio.get_running_loop().call_later(0.001, event.set)

    run(loop_factory, waiting(wake))

    assert wakers(told()) == [("timer", "Event.set")]


def test_woken_by_a_thread(loop_factory, told):
    """And another thread, which has a door of its own."""

    def wake(event):
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(event.set,))
        thread.start()
        return thread.join

    run(loop_factory, waiting(wake))

    assert wakers(told()) == [("thread", "Event.set")]


def test_woken_by_a_signal(loop_factory, told):
    """And a signal, whose handler was there before or is put there later."""

    def wake(event):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, event.set)
        os.kill(os.getpid(), signal.SIGUSR2)
        return lambda: loop.remove_signal_handler(signal.SIGUSR2)

    run(loop_factory, waiting(wake))

    assert wakers(told()) == [("signal", "Event.set")]


def test_woken_by_a_socket(told):
    """And a socket, also when it is the user's own callback that it calls."""

    def wake(event):
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()

        def readable():
            loop.remove_reader(ours)
            event.set()

        loop.add_reader(ours, readable)
        theirs.send(b"x")
        return lambda: (ours.close(), theirs.close())

    run(asyncio.new_event_loop, waiting(wake))

    ((kind, name),) = wakers(told())
    assert (kind, name.rpartition(".")[2]) == ("socket", "readable")


def test_woken_through_callbacks(loop_factory, told):
    """What passed a wake on does not hide who was at the root of it."""

    async def gatherer():
        async def child():
            await asyncio.sleep(0)

        async def waiter():
            await asyncio.gather(child())

        await asyncio.create_task(waiter())

    run(loop_factory, gatherer())

    assert wakers(told()) == [("task", "child")]


def test_woken_through_a_timer(loop_factory, told):
    """A timer that asks for a callback is the root of what that does."""

    def wake(event):
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, loop.call_soon, event.set)

    run(loop_factory, waiting(wake))

    assert wakers(told()) == [("timer", "Event.set")]


def test_woken_by_what_came_before(told):
    """A callback that queued before recording began has no root that we know."""

    async def program():
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        async def waiter():
            await event.wait()

        task = asyncio.create_task(waiter())
        await asyncio.sleep(0)
        loop.call_soon(loop.call_soon, event.set)
        with dashboard.record():
            await task

    asyncio.run(program())

    assert wakers(told()) == [("callback", "Event.set")]


def test_leaves_no_handle_behind(told):
    """Handles that the loop keeps are asyncio's own again when recording ends."""

    async def program():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, print)
        with dashboard.record():
            await asyncio.to_thread(int)
            await asyncio.to_thread(int)
        kept = [
            handle for key in loop._selector.get_map().values() for handle in key.data
        ]
        types = {
            type(each) for each in (*kept, *loop._signal_handlers.values()) if each
        }
        loop.remove_signal_handler(signal.SIGUSR2)
        return types

    assert asyncio.run(program()) == {asyncio.Handle}
