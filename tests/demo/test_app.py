"""The demo app does what its stories say, over real HTTP."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

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
    assert others >= 0.5 / 2


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
            assert response.json()["detail"].startswith(parameter.rule)


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
            (parameter["name"], parameter["schema"]["maximum"])
            for parameter in found
            if "{" not in scenario.path
        ]


def test_articles_answers(demo):
    """The articles' endpoints answer in the articles' words."""
    with httpx.Client(base_url=demo, timeout=20) as client:
        assert client.get("/fast_task/").json() == {"message": "This is fast!"}
        assert client.get("/hello").json() == {"message": "Hello world"}
        assert client.get("/async-endpoint").json() == {"data": "some data"}
        for path in ("/write", "/write_bad", "/write_with_thread", "/write_async"):
            answer = client.get(path, params={"num_chars": 1000, "flush": 0}).json()
            assert set(answer) == {"waiting_time", "unit"}
            assert 0 <= answer["waiting_time"] < 5
            assert answer["unit"] == "seconds"


def test_slow_task_waits_as_written(demo):
    """The slow task takes its five seconds, and gives back what it was given."""
    with ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(
                lambda path: httpx.get(demo + path, timeout=20),
                ["/slow_task/1?q=test", "/slow_task/2"],
            )
        )

    assert [answer.json() for answer in answers] == [
        {"item_id": 1, "q": "test"},
        {"item_id": 2, "q": None},
    ]
    assert min(answer.elapsed.total_seconds() for answer in answers) >= 5


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/slow_task/one", "item_id: "),
        ("/slow_task/-1", "greater than or equal to 0"),
        ("/slow_task/1000000001", "less than or equal to 1000000000"),
        (f"/slow_task/1?q={'x' * 201}", "at most 200 characters"),
        (
            "/write?num_chars=4000000000",
            "num_chars must be a number from 1 to 100000000",
        ),
        ("/write_async?flush=2", "flush must be a number from 0 to 1"),
    ],
)
def test_articles_bounds(demo, path, words):
    """What the articles leave open is bounded, and the range is said."""
    response = httpx.get(demo + path)

    assert response.status_code == 422
    assert words in response.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/write", "/write_bad", "/write_with_thread", "/write_async"]
)
def test_disk_refuses(tmp_path, path):
    """A full disk or a folder that is gone is a sentence, and the app lives."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.demo", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"LOOPSCOPE_DIR": str(tmp_path / "r"), "TMPDIR": str(folder)},
        # A file may grow to 20 MB here: less than asked for, more than a ring has.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20,) * 2),
    )
    with process:
        demo = process.stdout.readline().strip()
        try:
            full = httpx.get(f"{demo}{path}?num_chars=60000000", timeout=20)
            left = list(folder.iterdir())
            folder.rmdir()
            gone = httpx.get(f"{demo}{path}?num_chars=1000", timeout=20)
            alive = httpx.get(f"{demo}/fast")
        finally:
            process.terminate()

    assert (full.status_code, gone.status_code, alive.status_code) == (507, 507, 200)
    assert "File too large" in full.json()["detail"]
    assert "No such file or directory" in gone.json()["detail"]
    assert str(folder) in gone.json()["detail"]
    assert left == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://["},
        {"Origin": "null"},
    ],
)
def test_page_of_another_site(demo, headers):
    """What any other page has the browser send is refused before it runs."""
    answer = httpx.get(f"{demo}/fast", headers=headers)

    assert answer.status_code == 403
    assert "another site" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["evil.example", "evil.example:8001", ""])
def test_unknown_name(demo, name):
    """A page that gave its own name our address is not served."""
    answer = httpx.get(f"{demo}/fast", headers={"Host": name})

    assert answer.status_code == 400
    assert "does not go by the name" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:8001"},
        {"Host": "192.0.2.7"},
    ],
)
def test_address_bar(demo, headers):
    """Whoever types the address, or a tool that says nothing, is served."""
    assert httpx.get(f"{demo}/fast", headers=headers).status_code == 200


def test_link_of_the_dashboard(demo):
    """What the dashboard's page links to opens from there: nothing happens at it."""
    answer = httpx.get(f"{demo}/openapi.json", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200


def test_nothing_is_left_for_the_first_press():
    """What anyio and httpx import at their first use, they have imported before any request."""
    program = """
import sys
from dashboard.demo.warming import warm_up
warm_up()
before = set(sys.modules)
import asyncio, httpx
from dashboard.demo.neighbours import http_async, http_sync
from dashboard.demo.offload import by_anyio
async def press():
    await by_anyio(0)
    await http_async(0)
    await http_sync(0)
asyncio.run(press())
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )

    assert run.stderr == ""
    assert not {"anyio", "httpx", "httpcore", "h11"} & set(run.stdout.split())
