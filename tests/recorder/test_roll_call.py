"""Twice in each lap of the ring the recorder tells again who lives."""

from __future__ import annotations

import asyncio

import pytest
from clocks import FakeClock
from rings import read_ring

from dashboard.recorder.attach import hooks_for
from dashboard.recorder.recorder import Recorder
from dashboard.recorder.roll_call import AT_ONCE, RollCall
from dashboard.records import Cell, Kind, RingState
from dashboard.ring import create_ring

CAPACITY = 8192


@pytest.fixture
def run(loop_factory):
    """Run a program with a roll call of its own recorder; return what was told."""

    def run(program):
        ring = create_ring(
            kind="test", title="roll", loop_no=1, records_bytes=CAPACITY * 32
        )
        recorder = Recorder(ring, now_ns=FakeClock())
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            hooks = hooks_for(recorder, runner.get_loop())
            hooks.install()
            try:
                runner.run(program(RollCall(recorder), ring))
            finally:
                recorder.enabled = False
                hooks.remove()
                ring.close(RingState.STOPPED)
        return read_ring(ring.path)

    return run


def test_living_tasks_are_told_by_name(run):
    """Whoever waits is told with the name of its birth; whoever is done is not."""

    async def waiter(door):
        await door

    async def program(roll_call, ring):
        door = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(waiter(door)) for _ in range(3)]
        done = asyncio.create_task(asyncio.sleep(0))
        await done
        while ring.written() < CAPACITY // 2:
            ring.write(Kind.WAKE, 0, 0, 99, 0)
        roll_call.beat(1)
        roll_call.beat(2)
        roll_call.beat(3)
        door.set_result(None)
        await asyncio.gather(*tasks)

    told = run(program)
    births = dict(
        zip((r.a for r in told.of(Kind.BORN)), told.names(Kind.BORN), strict=True)
    )
    lives = dict(
        zip((r.a for r in told.of(Kind.LIVES)), told.names(Kind.LIVES), strict=True)
    )
    (call,) = told.of(Kind.LIVES_ALL)
    assert sum(name.endswith("waiter") for name in lives.values()) == 3
    assert {no: births[no] for no in lives if no in births} == lives
    assert call.a == len(lives) == len(told.of(Kind.LIVES))


def test_many_are_told_in_parts(run):
    """No beat tells more than its share; the last one says that all are told."""

    async def program(roll_call, ring):
        door = asyncio.get_running_loop().create_future()

        async def waiter():
            await door

        tasks = [asyncio.create_task(waiter()) for _ in range(AT_ONCE + 10)]
        await asyncio.sleep(0)
        ring.cells[Cell.DROPPED] += 1
        before = ring.written()
        roll_call.beat(1)
        program.first = ring.written() - before
        roll_call.beat(2)
        roll_call.beat(3)
        roll_call.beat(4)
        door.set_result(None)
        await asyncio.gather(*tasks)

    told = run(program)
    (call,) = told.of(Kind.LIVES_ALL)
    assert program.first <= AT_ONCE
    assert call.a == len(told.of(Kind.LIVES)) >= AT_ONCE + 10


def test_little_is_written_little_is_asked(run):
    """While the ring has not come half a lap further, nothing is told again."""

    async def program(roll_call, ring):
        for beat in range(100):
            roll_call.beat(beat)

    assert run(program).of(Kind.LIVES, Kind.LIVES_ALL) == []
