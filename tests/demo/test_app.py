"""The demo app does what its stories say, over real HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import httpx
import pytest

from dashboard.demo import stories


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run the demo app in its own process; give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.demo", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={"LOOPSCOPE_DIR": str(tmp_path_factory.mktemp("rings"))},
    )
    with process:
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/fast", {"message": "This is fast!"}),
        ("/slow?seconds=0.01", {"slept": 0.01}),
        ("/blocking?seconds=0.01", {"blocked": 0.01}),
        ("/threaded?seconds=0", {"slept": 0}),
        ("/healthz", {"status": "ok"}),
    ],
)
def test_answers(demo, path, answer):
    """Each endpoint answers with what it did."""
    response = httpx.get(demo + path)

    assert (200, answer) == (response.status_code, response.json())


@pytest.mark.parametrize("path", ["/slow", "/threaded"])
def test_free_loop(demo, path):
    """While these wait, others are answered."""
    waiting, others = during(f"{demo}{path}?seconds=0.5", f"{demo}/fast")

    assert waiting >= 0.5
    assert others < waiting / 2


def test_blocked_loop(demo):
    """While this one waits, nobody is answered."""
    waiting, others = during(f"{demo}/blocking?seconds=0.5", f"{demo}/fast")

    assert waiting >= 0.5
    assert others >= waiting / 2


def during(long_url, short_url):
    """Return how long the first took, and the slowest of the second meanwhile."""
    took = []

    def run():
        began = time.monotonic()
        httpx.get(long_url)
        took.append(time.monotonic() - began)

    slowest = 0.0
    with httpx.Client() as client:
        client.get(short_url)
        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            began = time.monotonic()
            client.get(short_url)
            slowest = max(slowest, time.monotonic() - began)
    return took[0], slowest


@pytest.mark.parametrize("value", ["abc", "-1", "31", "nan", "inf", "", "1e999"])
def test_refusal(demo, value):
    """A bad parameter is answered 422 with the allowed range in a sentence."""
    response = httpx.get(f"{demo}/slow", params={"seconds": value})

    assert response.status_code == 422
    assert {
        "detail": f"seconds must be a number from 0 to 30 s, got {value!r}"
    } == response.json()


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
def test_bounds(demo, scenario):
    """What the stories refuse, the demo app refuses by itself."""
    for parameter in scenario.params:
        for value in (parameter.minimum - 0.5, parameter.maximum + 0.5):
            response = httpx.get(demo + scenario.path, params={parameter.name: value})

            assert response.status_code == 422


def test_not_found(demo):
    """An unknown path is a sentence that says where to look."""
    response = httpx.get(f"{demo}/nope")

    assert response.status_code == 404
    assert response.json() == {
        "detail": "there is nothing at /nope; GET /openapi.json lists what is"
    }


def test_wrong_method(demo):
    """Another method is refused, with the one that is allowed."""
    response = httpx.post(f"{demo}/fast")

    assert (response.status_code, response.headers["allow"]) == (405, "GET")


def test_openapi(demo):
    """Every scenario is in the app's own description, bounds included."""
    document = httpx.get(f"{demo}/openapi.json").json()

    assert document["info"]["title"] == "loopscope demo"
    for scenario in stories.SCENARIOS:
        found = document["paths"][scenario.path]["get"].get("parameters", [])
        assert [
            (parameter.name, parameter.maximum) for parameter in scenario.params
        ] == [
            (parameter["name"], parameter["schema"]["maximum"]) for parameter in found
        ]
