"""How a run goes: a table for people, JSON for programs, a line a turn for logs."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from loadgen import progress
from loadgen.plan import Plan, Shape, Target, Variant
from loadgen.run import Run
from loadgen.tally import Tally


@pytest.fixture
def run():
    """A run of two variants, the first of which has been measured for a second."""
    variants = tuple(
        Variant(name, (Target(f"http://localhost/{name}"),)) for name in ("a", "b")
    )
    plan = Plan(variants, Shape(users=10, spawn_rate=10, run_time_s=5))
    run = Run(plan, [Tally(each, plan.shape, 1) for each in variants], plan.turns())
    run.phase, run.elapsed_s = "loading", 1.0
    told = {"from_s": 0, "to_s": 1, "active": 5, "latencies_us": [[1000] * 40]}
    told |= {"failures": {"timed out": 2}, "late": 0, "busy": 0.9, "lag_ms": 0.1}
    run.tallies[0].begin_turn()
    run.tallies[0].add(told)
    return run


def test_picture(run):
    """The live table names each variant, its last point, and its failures."""
    console = Console(file=io.StringIO(), width=100)
    console.print(progress._picture(run))

    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("a  loading, 1 of 2, closed model, about 12 s")
    row = next(line for line in lines[2:] if line.startswith("a "))
    assert row.split() == ["a", "5", "40.0", "1.0", "1.0", "1.0", "2", "90%"]


def test_json(run, capsys):
    """Each JSON line has all that is known, so that a reader may miss some."""
    progress.tell_json(run)

    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["turn"], told["turns"]) == ("progress", 1, 2)
    assert [each["name"] for each in told["variants"]] == ["a", "b"]
    (point,) = told["variants"][0]["points"]
    assert point["generator_limited"] is True
    assert told["variants"][1]["points"] == []


def test_what_is_left(run):
    """What is left shrinks with each phase, as planned, down to nothing at the end."""
    told = []
    for run.turn in (0, 1):
        for run.phase in ("starting", "warming up", "loading", "finishing"):
            run.elapsed_s = 2.0 if run.phase == "loading" else 0.0
            told.append(progress.describe(run)["left_s"])
    run.phase = "over"

    assert told == [16, 16, 11, 8, 8, 8, 3, 0]
    assert told[0] == run.plan.seconds
    assert progress.describe(run)["left_s"] == 0


def test_lines(run, capsys):
    """Where nobody watches, a turn is one line, however often it is told."""
    with progress.show_progress(quiet=False) as tell:
        tell(run)
        tell(run)
        run.turn = 1
        tell(run)

    said = capsys.readouterr()
    assert said.err == "1 of 2: a\n2 of 2: b\n"
    assert said.out == ""


def test_quiet(run, capsys):
    """Quiet is quiet."""
    with progress.show_progress(quiet=True) as tell:
        tell(run)

    assert capsys.readouterr() == ("", "")
