"""Load from a process of its own, watched live beside the timeline."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

LINE = "[data-part=experiment-line]"
ROWS = "[data-part=experiment-rows] tr"


def choose(page, **fields):
    """Set what the next run is made with."""
    for name, value in fields.items():
        page.locator(f"input[name={name}]").fill(str(value))


@pytest.fixture
def experiment(page):
    """The page with the experiment open."""
    page.keyboard.press("e")
    expect(page.locator("input[name=users]")).to_be_visible()
    return page


def test_opens_and_closes(page):
    """A key or a button shows the experiment beside the timeline, and takes it away."""
    page.locator("[data-part=open-experiment]").click()
    expect(page.locator(".experiment")).to_be_visible()
    expect(page.locator("[data-part=canvas]")).to_be_visible()
    expect(page.locator(".triggers")).to_be_hidden()

    page.keyboard.press("e")
    expect(page.locator(".experiment")).to_be_hidden()
    expect(page.locator(".triggers")).to_be_visible()


@pytest.mark.timeout(120)
def test_run_to_the_report(experiment):
    """A run draws a line for each variant, ends with Little's law, and can be kept."""
    choose(experiment, users=4, spawn_rate=4, seconds=2)
    experiment.locator("[data-part=experiment-start]").click()

    expect(experiment.locator("[data-part=experiment-stop]")).to_be_visible()
    save = experiment.locator("[data-part=experiment-save]")
    expect(save).to_be_visible(timeout=60_000)
    expect(experiment.locator(LINE)).to_contain_text("Done.")
    expect(experiment.locator(ROWS)).to_have_count(3)
    for state in ("waiting", "thread", "blocked"):
        assert experiment.locator(f"path.chart-mark[data-state={state}]").count() >= 2
    with experiment.expect_download() as download:
        save.click()
    assert "<svg" in download.value.path().read_text()


@pytest.mark.timeout(120)
def test_stop(experiment):
    """A run can be stopped; what was measured stays, and another can start."""
    choose(experiment, users=4, spawn_rate=4, seconds=60)
    experiment.locator("[data-part=experiment-start]").click()
    expect(experiment.locator("path.chart-mark").first).to_be_attached(timeout=30_000)
    experiment.locator("[data-part=experiment-stop]").click()

    expect(experiment.locator(LINE)).to_contain_text("Stopped early.")
    expect(experiment.locator("[data-part=experiment-start]")).to_be_visible()
    assert experiment.locator("path.chart-mark").count() >= 1


def test_out_of_range(experiment):
    """A number out of its range is not sent at all."""
    choose(experiment, users=5000)
    experiment.locator("[data-part=experiment-start]").click()

    assert experiment.locator("input[name=users]:invalid").count() == 1
    expect(experiment.locator("[data-part=experiment-stop]")).to_be_hidden()
