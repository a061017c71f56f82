"""The experiment's doors: guarded like the buttons, a sentence for each refusal."""

from __future__ import annotations

import pytest

from dashboard.server.presses.experiment import PRESETS
from loadgen.seeds import ARTICLE, NUM_CHARS

OWN_PAGE = "http://127.0.0.1:8000"


@pytest.fixture
def started(client, app, monkeypatch):
    """Take note of what would be started, and start nothing."""
    orders = []
    monkeypatch.setattr(app.state.dashboard.experiment, "start", orders.append)
    return orders


def test_choices(client):
    """The page is told what there is to choose, with bounds."""
    answer = client.get("/api/experiment").json()

    assert answer["running"] is False
    assert {each["id"] for each in answer["presets"]} >= {"waits", "writes"}
    for field in answer["fields"]:
        assert field["min"] <= field["default"] <= field["max"]


def test_says_how_long_it_takes(client):
    """The page is told what a run takes beside its load, turn by turn."""
    presets = client.get("/api/experiment").json()["presets"]

    assert {each["id"]: each["turns"] for each in presets} == {"waits": 3, "writes": 4}
    assert {each["beside_s"] for each in presets} == {3}


def test_says_what_it_may_write(client):
    """Who is about to have files written is told how much that may be."""
    presets = client.get("/api/experiment").json()["presets"]
    (note,) = (each["note"] for each in presets if each["id"] == "writes")

    assert f"flushes {NUM_CHARS // 10**6} MB" in note
    assert "at most 1 GB at once and 1 TB in all" in note


def test_start(client, started):
    """What was chosen is passed on as it is."""
    answer = client.post("/api/experiment", json={"preset": "waits", "users": 5})

    assert answer.status_code == 202
    assert started == [{"preset": "waits", "users": 5}]


@pytest.mark.parametrize("body", ["[]", "{", '{"url": "http://x"}', "x" * 70_000])
def test_bad_bodies(client, started, body):
    """A body that is no order is refused; a target cannot be named at all."""
    answer = client.post("/api/experiment", content=body)

    assert answer.status_code == 422
    assert "the body must be a JSON object" in answer.json()["detail"]
    assert started == []


def test_no_demo(client):
    """Without a demo app it is 503 with a sentence."""
    answer = client.post("/api/experiment", json={})

    assert answer.status_code == 503
    assert "no demo app" in answer.json()["detail"]


def test_the_article_once():
    """The page and the command line put the same published numbers beside ours."""
    (writes,) = (preset for preset in PRESETS if preset.id == "writes")

    assert [
        (each.name, each.path, each.published_rps) for each in writes.variants
    ] == list(ARTICLE)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_other_pages(client, started, method):
    """A page of somebody else can neither start nor stop anything."""
    headers = {"Sec-Fetch-Site": "cross-site"}

    answer = client.request(method, "/api/experiment", headers=headers)
    assert answer.status_code == 403
    assert started == []


def test_stop_without_a_run(client):
    """To stop what does not run does no harm."""
    assert client.delete("/api/experiment").status_code == 202


def test_no_report(client):
    """Before there is a report, that is said."""
    answer = client.get("/api/experiment/report.html")

    assert answer.status_code == 404
    assert "no report yet" in answer.json()["detail"]
