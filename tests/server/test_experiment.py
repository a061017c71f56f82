"""One experiment at a time, in a process of its own, told to whoever watches."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack, aclosing

import pytest
from raw_servers import Server

from dashboard.errors import BadParameter, DemoUnavailable, ExperimentRunning
from dashboard.server.presses import experiment as module
from dashboard.server.presses.experiment import PRESETS, Experiment, Preset, Variant
from loadgen.__main__ import _plan, _variants
from loadgen.flags import make_parser

pytestmark = pytest.mark.anyio
ORDER = {"preset": "one", "users": 2, "spawn_rate": 50, "seconds": 2}
PATIENCE_S = 40


@pytest.fixture(autouse=True)
def one_preset(monkeypatch):
    """Only an experiment of one variant, so that a run is short."""
    variants = (Variant("only", "/hello", "running"),)
    monkeypatch.setattr(module, "PRESETS", (Preset("one", "one", variants),))


@pytest.fixture
async def experiment():
    """An experiment against a server that answers at once."""
    server = Server()
    experiment = Experiment(lambda: server.url)
    yield experiment
    await experiment.close()
    server.stop()


async def events_until(experiment, last):
    """Return the events that a viewer gets, up to the one of that name."""
    seen = []
    async with asyncio.timeout(PATIENCE_S), aclosing(experiment.watch()) as events:
        async for event in events:
            name, data = event.decode().strip().split("\n", 1)
            seen.append((name.removeprefix("event: "), data.removeprefix("data: ")))
            if seen[-1][0] == last:
                break
    return seen


async def test_from_start_to_report(experiment):
    """A viewer is told that it is idle, then how it goes, then the report."""
    assert [name for name, _ in await events_until(experiment, "idle")] == ["idle"]
    experiment.start(ORDER)

    seen = await events_until(experiment, "report")
    names = [name for name, _ in seen]
    assert names[0] == "starting"
    assert set(names[1:-1]) == {"progress"}
    report = json.loads(seen[-1][1])["report"]
    assert report["totals"]["answers"] > 0
    assert report["client"].startswith("fast")


async def test_report_file(experiment):
    """Who is told of the report can keep it as a file, which goes with the dashboard."""
    assert experiment.report is None
    experiment.start(ORDER)
    assert experiment.report is None
    await events_until(experiment, "report")

    path = experiment.report
    assert "<svg" in path.read_text()
    await experiment.close()
    assert not path.exists()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
async def test_forecast(preset):
    """What the page says a run takes is of the plan that the run makes of its flags."""
    numbers = {"users": 7, "spawn_rate": 3, "seconds": 11}
    said = preset.plan(**numbers)
    words = [*module._what(preset, "http://127.0.0.1:1"), *module._flags(said)]
    options = make_parser().parse_args(words)
    with ExitStack() as stack:
        followed = _plan(options, _variants(options, stack))

    assert followed.shape == said.shape
    assert followed.turns() == said.turns()
    assert followed.client == said.client


async def test_one_at_a_time(experiment):
    """A second one is refused while the first runs."""
    experiment.start(ORDER)

    with pytest.raises(ExperimentRunning, match="stop it first"):
        experiment.start(ORDER)


async def test_stop(experiment, eventually):
    """One that is stopped ends at once, with a report of what was measured."""
    experiment.start(ORDER | {"seconds": 120})
    await eventually(lambda: b'"phase":"loading"' in experiment.told.data, "load")
    experiment.stop()

    seen = await events_until(experiment, "report")
    assert json.loads(seen[-1][1])["report"]["phase"] == "stopped"


async def test_close_ends_everything(experiment, eventually):
    """A dashboard that ends leaves no process behind, and waits for none."""
    experiment.start(ORDER | {"seconds": 120})
    await eventually(lambda: b'"phase":"loading"' in experiment.told.data, "load")
    process = experiment._process
    async with asyncio.timeout(2):
        await experiment.close()

    assert process.returncode is not None
    assert not experiment.is_running


async def test_failure_is_a_sentence(experiment, monkeypatch):
    """A load generator that cannot start says why, in one sentence."""
    monkeypatch.setattr(module, "_what", lambda preset, base: ["run", "http://x.com/"])
    experiment.start(ORDER)

    seen = await events_until(experiment, "failed")
    assert seen[-1][1].startswith("x.com is not this machine")


async def test_no_demo_app():
    """Without a demo app nothing starts, and the reason is passed on."""

    def down():
        raise DemoUnavailable("the demo app is starting; try again")

    experiment = Experiment(down)
    with pytest.raises(DemoUnavailable, match="starting"):
        experiment.start(ORDER)
    assert not experiment.is_running
    experiment.stop()
    await experiment.close()


@pytest.mark.parametrize(
    "change",
    [
        {"users": 0},
        {"users": 201},
        {"users": 1.5},
        {"users": True},
        {"users": "9"},
        {"spawn_rate": 0},
        {"seconds": 121},
        {"preset": "none"},
        {"preset": None},
        {"preset": ["one"]},
    ],
)
async def test_bad_orders(experiment, change):
    """What is out of range or unknown is refused with what there is."""
    with pytest.raises(BadParameter, match=r"must be (a whole number from|one of)"):
        experiment.start(ORDER | change)

    assert not experiment.is_running


async def test_a_viewer_that_leaves(experiment):
    """A stream ends by itself when the server does."""
    over = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S):
        async for event in experiment.watch(is_over=over.is_set):
            assert event == b"event: idle\ndata: \n\n"
            over.set()
