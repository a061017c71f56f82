"""A round of ours is a round of asyncio's: same callbacks, same order, same answers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import sys
import weakref
from asyncio import events
from typing import TYPE_CHECKING, Any

import pytest

from dashboard import record
from dashboard.recorder.attach import stop_recording
from dashboard.records import Cell, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from rings import Told


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = 100.0
        self.asked: list[float | None] = []
        self._stock_select = self._selector.select
        self._selector.select = self._jump

    def time(self) -> float:
        """Return the moment that the test is at."""
        return self.moment

    def _jump(self, timeout: float | None = None) -> Any:
        self.asked.append(None if timeout is None else round(timeout, 6))
        self.moment += timeout or 0
        return self._stock_select(0)


def play(seed: int, *, is_recorded: bool) -> tuple[list[str], list[float | None]]:
    """Run a random program of callbacks and timers; return what happened when."""
    happened: list[str] = []
    dice = random.Random(seed)
    loop = VirtualLoop()

    def act(name: str, depth: int) -> None:
        happened.append(f"{name} at {loop.time():.6f}")
        handles: list[asyncio.Handle] = []
        for index in range(dice.randrange(3) if depth < 5 else 0):
            child = f"{name}.{index}"
            match dice.randrange(4):
                case 0:
                    handles.append(loop.call_soon(act, child, depth + 1))
                case 1:
                    delay = dice.choice([0, 0.001, 0.5, 90_000])
                    handles.append(loop.call_later(delay, act, child, depth + 1))
                case 2:
                    handles.append(loop.call_at(loop.time() - 1, act, child, depth + 1))
                case 3:
                    loop.call_soon_threadsafe(act, child, depth + 1)
        if handles and dice.random() < 0.3:
            dice.choice(handles).cancel()
        if dice.random() < 0.1:
            raise ValueError(name)

    loop.set_exception_handler(
        lambda _, context: happened.append(f"{context['message']}")
    )
    # More than the hundred that make a loop sort out the cancelled ones.
    timers = [loop.call_later(1 + n / 10, act, f"timer {n}", 4) for n in range(150)]
    for timer in timers[::2] + timers[1:100:2]:
        loop.call_soon(timer.cancel)
    for root in range(8):
        loop.call_soon(act, f"root {root}", 0)
    loop.call_later(100_000, loop.stop)
    try:
        if is_recorded:
            with record(loop) as recording:
                # A quiet poll is done in two, to look around in between.
                recording.recorder.look = None
                loop.run_forever()
        else:
            loop.run_forever()
    finally:
        loop.close()
    return [text.replace(__name__, "") for text in happened], loop.asked


@pytest.mark.parametrize("seed", range(6))
def test_goes_round_as_the_stock_loop_does(seed: int) -> None:
    """Order, times, polls and exceptions of a random program are what they were."""
    assert play(seed, is_recorded=True) == play(seed, is_recorded=False)


def test_recording_that_ends_in_a_round_leaves_its_rest_to_run() -> None:
    """What was queued when recording ended is run in the same round."""
    ran: list[int] = []

    async def program() -> None:
        loop = asyncio.get_running_loop()
        recording = record()
        recording.__enter__()
        await asyncio.sleep(0)
        cancelled = None
        for number in range(5):
            loop.call_soon(ran.append, number)
            cancelled = loop.call_soon(ran.append, -1)
            if number == 1:
                loop.call_soon(recording.__exit__, None, None, None)
        cancelled.cancel()
        await asyncio.sleep(0)
        assert ran == [0, -1, 1, -1, 2, -1, 3, -1, 4]

    asyncio.run(program())


def test_what_ran_unseen_when_recording_began_is_looked_at_again(
    told: Callable[[], Told],
) -> None:
    """The round in which recording begins is not recorded; the next sets it right."""
    door = asyncio.Event()
    recording = record()

    async def starter() -> None:
        # The other two are queued behind, in the round that is under way.
        recording.__enter__()

    async def sleeper() -> None:
        await door.wait()

    async def short() -> None:
        pass

    async def program() -> None:
        tasks = [asyncio.create_task(c()) for c in (starter, sleeper, short)]
        await asyncio.sleep(0.001)
        door.set()
        await asyncio.wait(tasks)
        recording.__exit__(None, None, None)

    asyncio.run(program())
    ring = told()
    sleeping = ring.task("sleeper")
    assert [r.u for r in ring.of(Kind.ADOPTED) if r.a == sleeping] == [1, 0]
    assert ring.task("short") in [r.a for r in ring.of(Kind.GONE)]
    assert len([r for r in ring.of(Kind.STEP_DONE) if r.a == sleeping]) == 1


def test_a_handle_run_of_somebody_else_is_called(
    monkeypatch: pytest.MonkeyPatch, told: Callable[[], Told]
) -> None:
    """Who replaces `Handle._run`, before or after us, sees every handle."""
    seen: list[str] = []
    stock = events.Handle._run

    def theirs(handle: asyncio.Handle) -> None:
        seen.append(getattr(handle._callback, "__name__", "?"))
        stock(handle)

    def mine() -> None:
        pass

    async def program() -> None:
        loop = asyncio.get_running_loop()
        with record():
            await asyncio.sleep(0)
            monkeypatch.setattr(events.Handle, "_run", theirs)
            loop.call_soon(mine)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        with record():
            loop.call_soon(mine)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        monkeypatch.undo()

    asyncio.run(program())
    assert seen.count("mine") == 2


def test_debug_mode_warns_of_slow_callbacks(caplog: pytest.LogCaptureFixture) -> None:
    """The slow-callback warning of asyncio's debug mode is still given."""

    async def program() -> None:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 0.0
        with record():
            loop.call_soon(lambda: None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING, logger="asyncio"):
        asyncio.run(program(), debug=True)
    assert any(m.startswith("Executing <Handle") for m in caplog.messages)


def test_a_round_keeps_nothing_alive() -> None:
    """The last callback of a round, and what it carried, are free when it is over."""

    class Thing:
        pass

    async def program() -> None:
        loop = asyncio.get_running_loop()
        with record():
            await asyncio.sleep(0)
            thing = Thing()
            reference = weakref.ref(thing)
            loop.call_soon(id, thing)
            del thing
            await asyncio.sleep(0.001)
            assert reference() is None

    asyncio.run(program())


def test_an_exception_keeps_no_handle_alive() -> None:
    """A kept exception of a callback does not keep later callbacks with it."""
    kept: list[BaseException] = []

    class Thing:
        pass

    def fail() -> None:
        raise ValueError("kept")

    async def program() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, c: kept.append(c["exception"]))
        with record():
            await asyncio.sleep(0)
            thing = Thing()
            reference = weakref.ref(thing)
            loop.call_soon(fail)
            loop.call_soon(id, thing)
            del thing
            await asyncio.sleep(0.001)
            gc.collect()
            assert reference() is None
            assert kept

    asyncio.run(program())


def test_ctrl_c_in_a_callback_stops_the_loop_and_leaves_the_queue() -> None:
    """KeyboardInterrupt passes through; what was queued runs when the loop goes on."""
    ran: list[str] = []
    loop = asyncio.new_event_loop()

    def interrupt() -> None:
        raise KeyboardInterrupt

    try:
        with record(loop):
            loop.call_soon(interrupt)
            loop.call_soon(ran.append, "after")
            with pytest.raises(KeyboardInterrupt):
                loop.run_forever()
            assert ran == []
            loop.call_soon(loop.stop)
            loop.run_forever()
            assert ran == ["after"]
    finally:
        loop.close()


def test_nothing_of_ours_stays_on_the_loop() -> None:
    """Both methods are the class's own again, and the class was never touched."""
    loop = asyncio.new_event_loop()
    run = events.Handle._run
    try:
        with record(loop):
            assert events.Handle._run is run
            assert sys.intern("_run_once") in vars(loop)
        assert not {"_run_once", "call_soon", "close"} & set(vars(loop))
    finally:
        loop.close()


def test_a_round_that_somebody_replaces_is_theirs(
    monkeypatch: pytest.MonkeyPatch, told: Callable[[], Told]
) -> None:
    """Who patches the class's round while we record, as nest_asyncio does, gets it."""
    rounds: list[int] = []
    stock = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]

    def theirs(loop: Any) -> None:
        rounds.append(1)
        stock(loop)

    async def program() -> None:
        with record():
            await asyncio.sleep(0)
            monkeypatch.setattr(asyncio.BaseEventLoop, "_run_once", theirs)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert "_run_once" not in vars(asyncio.get_running_loop())

    asyncio.run(program())
    monkeypatch.undo()
    assert len(rounds) >= 2
    ring = told()
    assert "recording stopped" in ring.strings[ring.cells[Cell.NOTE]]


class OwnScheduling(asyncio.SelectorEventLoop):
    """A loop that counts what is handed to it."""

    count = 0

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        """Count, and do as asyncio does."""
        self.count += 1
        return super().call_soon(callback, *args, context=context)


def test_a_loops_own_scheduling_is_called(told: Callable[[], Told]) -> None:
    """A subclass's `call_soon` sees as much recorded as not."""

    async def program() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    counts = []
    for is_recorded in (False, True):
        loop = OwnScheduling()
        with record(loop) if is_recorded else contextlib.nullcontext():
            loop.run_until_complete(program())
        loop.close()
        counts.append(loop.count)
    assert counts[0] == counts[1]
    assert told().of(Kind.STEP_DONE)


def test_nothing_is_recorded_below_a_third_partys_call_soon() -> None:
    """Ours may stay in somebody's chain when recording ends; then it does nothing."""
    loop = asyncio.new_event_loop()
    recording = record(loop).__enter__()
    ours = loop.call_soon
    loop.call_soon = lambda *args, **kwargs: ours(*args, **kwargs)  # type: ignore[method-assign]
    stop_recording(recording)
    written = recording.recorder.ring.written()

    async def program() -> None:
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(10)))

    loop.run_until_complete(program())
    loop.close()
    assert recording.recorder.ring.written() == written
