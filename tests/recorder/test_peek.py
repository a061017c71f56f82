"""To look at a wait runs nobody's code, and keeps nothing alive."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from rings import read_ring

import dashboard
from dashboard.recorder import reasons
from dashboard.recorder.holders import find_holders
from dashboard.recorder.peek import locals_of, peek
from dashboard.recorder.reasons import note_reason
from dashboard.recorder.sites import name_at
from dashboard.records import Cell, Kind


class Trap:
    """Whoever runs any of its code is caught."""

    sprung: list[str] = []  # noqa: RUF012 - that all share it is what it is for

    def __getattribute__(self, name: str) -> Any:
        Trap.sprung.append(name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        Trap.sprung.append(name)
        raise AttributeError(name)

    def __repr__(self) -> str:
        Trap.sprung.append("repr")
        return "trap"

    def __eq__(self, other: object) -> bool:
        Trap.sprung.append("eq")
        return True

    def __hash__(self) -> int:
        Trap.sprung.append("hash")
        return 1

    def __bool__(self) -> bool:
        Trap.sprung.append("bool")
        return True

    def __len__(self) -> int:
        Trap.sprung.append("len")
        return 1


class TrapQueue(Trap, asyncio.Queue):
    """A queue of somebody's own, with properties in place of fields."""

    @property
    def _maxsize(self) -> int:
        Trap.sprung.append("_maxsize")
        return self.__dict__["_maxsize"]

    @_maxsize.setter
    def _maxsize(self, value: int) -> None:
        self.__dict__["_maxsize"] = value


class TrapLock(Trap, asyncio.Lock):
    """A lock of somebody's own."""


class TrapAwaitable(Trap):
    """An awaitable that is its own iterator."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def __await__(self) -> TrapAwaitable:
        return self

    def __iter__(self) -> TrapAwaitable:
        return self

    def __next__(self) -> Any:
        future = self.future
        if future.done():
            raise StopIteration
        future._asyncio_future_blocking = True
        return future


async def in_a_queue(trap: Trap) -> None:
    """Wait with a trap among the locals."""
    await TrapQueue(3).get()


async def in_a_lock(trap: Trap) -> None:
    """Wait for a lock that is one."""
    lock = TrapLock()
    await lock.acquire()
    async with lock:
        pass


async def in_an_awaitable(trap: Trap) -> None:
    """Await one."""
    await TrapAwaitable(asyncio.get_running_loop().create_future())


async def in_a_timeout(trap: Trap) -> None:
    """Wait inside of blocks that others wrote."""
    async with asyncio.timeout(60):
        await asyncio.wait_for(TrapQueue(3).get(), 60)


@pytest.mark.parametrize(
    "program", [in_a_queue, in_a_lock, in_an_awaitable, in_a_timeout]
)
def test_nobodys_code_runs(loop_factory, program):
    """Neither a property nor `__getattr__`, `__eq__`, `__repr__`, … of the program's."""

    async def main():
        with dashboard.record() as recording:
            rec = recording.recorder
            task = asyncio.create_task(program(Trap()))
            await asyncio.sleep(0.01)
            Trap.sprung.clear()
            note_reason(rec, task, rec.tasks[id(task)], rec.now_ns())
            note_reason(
                rec,
                task,
                rec.tasks[id(task)],
                rec.now_ns(),
                lambda: find_holders(rec),
            )
            sprung = list(Trap.sprung)
            task.cancel()
            await asyncio.wait([task])
            return sprung, recording.recorder.ring.path

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        sprung, path = runner.run(main())

    assert sprung == []
    assert len(read_ring(path).of(Kind.REASON)) >= 2


def test_keeps_nothing_alive(loop_factory):
    """What a coroutine lets go of is gone, however often its wait was looked at."""

    class Large:
        """Something that the program wants to be rid of."""

    async def program(doors: list[asyncio.Event]) -> None:
        large = Large()
        gone.append(weakref.ref(large))
        await doors[0].wait()
        del large
        await doors[1].wait()

    gone: list[weakref.ref[Large]] = []

    async def main():
        with dashboard.record() as recording:
            rec = recording.recorder
            doors = [asyncio.Event(), asyncio.Event()]
            task = asyncio.create_task(program(doors))
            await asyncio.sleep(0)
            note_reason(rec, task, rec.tasks[id(task)], rec.now_ns())
            find_holders(rec)
            doors[0].set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            dead = gone[0]() is None
            doors[1].set()
            await task
            of_task = weakref.ref(task)
            del task
            await asyncio.sleep(0)
            return dead, of_task

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        dead, of_task = runner.run(main())

    gc.collect()
    assert dead
    assert of_task() is None


def test_strings_are_bounded(ring_dir):
    """Hosts without end leave room in the string table for what comes later."""

    async def main():
        with dashboard.record() as recording:
            ring = recording.recorder.ring
            for n in range(3 * reasons.MAX_TEXTS):
                reasons._intern_text(recording.recorder, f"host-{n}.example.com:443")
            used = ring.cells[Cell.STRINGS]
            first = reasons._intern_text(recording.recorder, "host-0.example.com:443")
            later = ring.intern("GET\x1f/a/route/that/comes/later")
            return used, first, later

    used, first, later = asyncio.run(main())

    assert used < 64 << 10
    assert first
    assert later


def test_numbers_are_no_strings():
    """A thousand waits that differ in a number alone share one string."""

    async def sleeper(n: int) -> None:
        await asyncio.sleep(60 + n)

    async def main():
        with dashboard.record() as recording:
            rec = recording.recorder
            tasks = [asyncio.create_task(sleeper(n)) for n in range(1000)]
            await asyncio.sleep(0)
            for task in tasks:
                note_reason(rec, task, rec.tasks[id(task)], rec.now_ns())
            path = rec.ring.path
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return path

    told = read_ring(asyncio.run(main()))

    sleeps = [text for text in told.strings if text.startswith("sleep\x1f")]
    assert len(sleeps) == 1
    assert len(told.of(Kind.REASON)) >= 1000


def test_who_holds_it_while_it_lasts(loop_factory):
    """While a lock is held, who has it is found by where he is; a waiter has it not."""

    async def holder(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(60)

    async def waiter(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main():
        with dashboard.record() as recording:
            rec = recording.recorder
            lock, other = asyncio.Lock(), asyncio.Lock()
            await other.acquire()
            tasks = [
                asyncio.create_task(each)
                for each in (holder(lock), waiter(lock), waiter(lock), waiter(other))
            ]
            await asyncio.sleep(0.01)
            found = find_holders(rec)
            number = rec.tasks[id(tasks[0])].no
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return found.get(id(lock)) == number, id(other) in found

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        is_holder, is_other_known = runner.run(main())

    assert is_holder
    assert not is_other_known


# ------------------------------------------------------------------------ fields


def test_peeks_at_fields():
    """Slots and entries of the dictionary are seen, a class's plain value, too."""

    class Slotted:
        __slots__ = ("empty", "full")
        shared = 3

        def __init__(self) -> None:
            self.full = 1

    assert peek(Slotted(), "full") == 1
    assert peek(Slotted(), "empty") is None
    assert peek(Slotted(), "shared") == 3
    assert peek(SimpleNamespace(a=2), "a") == 2
    assert peek(SimpleNamespace(a=2), "b") is None
    assert peek(None, "a") is None


def test_does_not_call():
    """A property is no field, nor is what `__getattr__` would make up."""

    class Alive:
        @property
        def size(self) -> int:
            raise AssertionError("called")

        def __getattr__(self, name: str) -> int:
            raise AssertionError("called")

        def method(self) -> int:
            raise AssertionError("called")

    assert peek(Alive(), "size") is None
    assert peek(Alive(), "other") is None
    assert peek(Alive(), "method") is None


def test_locals_in_order():
    """Arguments come in the order in which they are declared, cells opened."""

    async def program(first: int, second: str, *rest: int) -> None:
        await asyncio.sleep(60)
        print(lambda: second)

    async def main():
        coro = program(1, "two", 3)
        task = asyncio.create_task(coro)
        await asyncio.sleep(0)
        found = locals_of(coro, coro.cr_code)
        task.cancel()
        return found

    assert asyncio.run(main())[:3] == [1, "two", (3,)]


# ------------------------------------------------------------------------- names


async def name_of(coro) -> str:
    """Return how the line calls what a coroutine awaits."""
    task = asyncio.ensure_future(coro)
    await asyncio.sleep(0)
    name = name_at(coro.cr_code, coro.cr_frame.f_lasti)
    task.cancel()
    await asyncio.wait([task])
    return name


LOCK = asyncio.Lock()


class Shop:
    """Something with locks."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.inner = self

    async def enter(self) -> None:
        async with self.lock:
            pass

    async def deep(self) -> int:
        return 1 + await self.inner.queue.get()

    async def either(self, which: bool) -> None:
        async with self.lock if which else LOCK:
            pass

    async def first_of(self, other: asyncio.Lock | None) -> None:
        async with other or self.lock:
            pass

    async def picked(self, locks: dict[int, asyncio.Lock]) -> None:
        async with locks[0]:
            pass

    async def brackets(self, other: asyncio.Queue[int] | None) -> None:
        await (other or self.queue).get()

    async def indexed(self, queues: list[asyncio.Queue[int]]) -> None:
        await queues[0].get()

    async def called(self) -> None:
        await self.pick().get()

    def pick(self) -> asyncio.Queue[int]:
        return self.queue

    async def conditional(self, which: bool) -> None:
        await (self.queue.get() if which else self.inner.queue.get())

    async def whole(self, future: asyncio.Future[None]) -> None:
        await future

    async def either_whole(self, future: asyncio.Future[None]) -> None:
        await (None or future)

    async def of_module(self) -> None:
        async with LOCK:
            pass

    async def second(self) -> None:
        async with asyncio.timeout(60), LOCK:
            pass


def test_names():
    """A plain path is a name; what could be one of several objects has none."""

    async def main():
        shop = Shop()
        await shop.lock.acquire()
        await LOCK.acquire()
        future = asyncio.get_running_loop().create_future()
        programs = {
            "lock": shop.enter(),
            "inner.queue.get()": shop.deep(),
            "LOCK": shop.of_module(),
            "future": shop.whole(future),
        }
        named = [await name_of(coro) for coro in programs.values()]
        nameless = [
            shop.either(True),
            shop.first_of(None),
            shop.picked({0: shop.lock}),
            shop.brackets(None),
            shop.indexed([shop.queue]),
            shop.called(),
            shop.conditional(True),
            shop.either_whole(asyncio.get_running_loop().create_future()),
        ]
        without = [await name_of(coro) for coro in nameless]
        second = await name_of(shop.second())
        LOCK.release()
        return list(programs), named, without, second

    expected, named, without, second = asyncio.run(main())

    assert named == expected
    assert without == [""] * 8
    assert second in ("", "LOCK")


def test_a_task_is_not_asked_for_its_coroutine(loop_factory):
    """Who holds a lock is found without a call of what a subclass of Task has made."""
    asked = []

    class Mine(asyncio.Task):
        def get_coro(self):
            asked.append(self)
            raise RuntimeError

    async def holder(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.sleep(60)

    async def main():
        with dashboard.record() as recording:
            rec = recording.recorder
            lock = asyncio.Lock()
            task = Mine(holder(lock), loop=asyncio.get_running_loop())
            await asyncio.sleep(0.01)
            asked.clear()
            found, number = find_holders(rec), rec.tasks[id(task)].no
            asked_by_us = len(asked)
            task.cancel()
            await asyncio.wait([task])
            return found.get(id(lock)) == number, asked_by_us

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(main()) == (True, 0)
