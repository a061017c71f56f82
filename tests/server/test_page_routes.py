"""What the dashboard answers, to people, to programs and to pages of others."""

from __future__ import annotations

import asyncio
import json

import anyio
import pytest

import dashboard
from dashboard.demo import stories
from dashboard.errors import OverBudget
from dashboard.ring import create_ring
from dashboard.server.exports.scripts import join_modules
from dashboard.server.presses.budgets import MAX_COUNT
from dashboard.server.presses.triggers import OWN_CAST
from dashboard.server.routes import page_routes

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN_PAGE = "http://127.0.0.1:8000"


@pytest.fixture
def fired(client, app, monkeypatch):
    """Take note of what would be sent, and send nothing."""
    calls = []

    def fire(scenario, count, params):
        stories.find(scenario).query(params)
        calls.append((scenario, count, params))
        return "b1"

    monkeypatch.setattr(app.state.dashboard, "fire", fire)
    return calls


# ---------------------------------------------------------------- finite answers


def test_healthz(client):
    """A dashboard that is up says so."""
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_page(client):
    """The page is HTML that names its version, and loads nothing from elsewhere."""
    answer = client.get("/", headers=BROWSER)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert dashboard.__version__ in answer.text
    assert "//cdn" not in answer.text


def test_page_files_are_found(client):
    """Every file that the page names is there."""
    page = client.get("/", headers=BROWSER).text
    named = {
        part.partition('"')[0]
        for attribute in ('src="', 'href="')
        for part in page.split(attribute)[1:]
    }
    files = {name for name in named if name.startswith("/static/")}

    assert files
    assert {client.get(name).status_code for name in files} == {200}


def test_page_preloads_what_it_runs():
    """Asked for at once is what the page's script imports, and no other page's."""
    imported = []

    def read(path):
        imported.append(f"/static/{path}")
        return (page_routes.find_assets("static") / path).read_text()

    join_modules("js/main.js", read)

    assert sorted(["/static/js/main.js", *page_routes.MODULES]) == sorted(imported)


def test_state(client, app):
    """The state is one JSON object, whatever goes on."""
    state = client.get("/api/state").json()

    assert {"loops", "tasks", "requests", "stalls", "findings"} <= set(state)
    assert state["notices"] == []


def test_state_of_a_ring(client, tmp_path):
    """A ring in the folder is in the state within a moment."""
    create_ring(kind="asyncio", title="shop", loop_no=1, directory=tmp_path / "rings")
    for _ in range(10_000):
        loops = client.get("/api/state").json()["loops"]
        if loops:
            break
    else:
        pytest.fail("the ring was not in the state after 10,000 looks")

    assert [loop["title"] for loop in loops] == ["shop"]


def test_scenarios(client):
    """Every scenario is listed with its parameters, their ranges and its real code."""
    listed = client.get("/api/scenarios").json()
    by_id = {each["id"]: each for each in listed["scenarios"]}

    assert list(by_id) == [scenario.id for scenario in stories.SCENARIOS]
    assert max(listed["counts"]) <= listed["max_count"] == MAX_COUNT
    assert by_id["blocking"]["params"] == [
        {"name": "seconds", "default": 2, "min": 0, "max": 10, "unit": "s"}
    ]
    for each in by_id.values():
        assert f"def {each['source']['function']}(" in each["source"]["code"]
        assert each["source"]["line"] > 0
        assert not each["source"]["file"].startswith("/")


# --------------------------------------------------------------- unknown, refused


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/nowhere", "/static/nowhere.js", "/static/../app.py"]
)
def test_not_found(client, path):
    """Unknown paths get a page in the house style, and programs get JSON."""
    page = client.get(path, headers=BROWSER)
    answer = client.get(path)

    assert (page.status_code, answer.status_code) == (404, 404)
    assert page.headers["content-type"].startswith("text/html")
    assert "To the dashboard" in page.text
    assert "Loopscope" in page.text
    assert "There is nothing at" in page.text
    assert list(answer.json()) == ["detail"]
    assert "There is nothing at" in answer.json()["detail"]


def test_not_found_is_escaped(client):
    """A path that is markup is shown as text."""
    page = client.get("/<script>alert(1)</script>", headers=BROWSER)

    assert page.status_code == 404
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "../pyproject.toml",
        "..%2fpyproject.toml",
        "%2e%2e/pyproject.toml",
        "%2e%2e%2f%2e%2e%2fetc/passwd",
        "js/..%2f..%2f..%2fpyproject.toml",
        "..%5cpyproject.toml",
        "%252e%252e%252fpyproject.toml",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "js/main.js%00.png",
    ],
)
def test_outside_of_the_static_folder(client, path):
    """No spelling of a path leads out of the folder of page files."""
    answer = client.get(f"/static/{path}")

    assert answer.status_code == 404
    assert_guarded(answer)


def test_reading_changes_nothing(client):
    """Whatever changes something has a method that no link and no image can send."""
    safe = {"get", "head", "options"}
    changing = [
        (method, path.replace("{scenario_id}", "fast"))
        for path, methods in client.app.openapi()["paths"].items()
        for method in methods.keys() - safe
    ]
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    statuses = {
        client.request(method, path, headers=cross_site).status_code
        for method, path in changing
    }

    assert len(changing) >= 4
    assert statuses == {403}
    assert client.get("/api/trigger/fast").status_code == 405


def test_seats_are_limited(client, app):
    """When all seats are taken the stream is refused with a sentence, the page is not."""
    app.state.dashboard.seats.limit = 0
    answer = client.get("/events")

    assert answer.status_code == 503
    assert_sentence(answer, "0 viewers are watching", "close a tab")
    assert_guarded(answer)
    assert client.get("/api/experiment/events").status_code == 503
    assert client.get("/").status_code == 200


def test_wrong_method(client):
    """A method that a path does not take is refused, and the right one named."""
    answer = client.put("/healthz")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("scenario", ["nowhere", "fast%00", "FAST", "x" * 5000])
def test_unknown_scenario(client, scenario):
    """An unknown scenario is not found, in a sentence that says where to look."""
    answer = client.post(f"/api/trigger/{scenario}", json={"count": 1})

    assert answer.status_code == 404
    assert_sentence(answer, "there is no scenario", "/api/scenarios")


@pytest.mark.parametrize(
    "count", [0, -1, MAX_COUNT + 1, 10**30, 1.5, "5", True, None, [1], {}]
)
def test_bad_count(client, count):
    """A count that is none, or out of range, is refused with the range."""
    answer = client.post("/api/trigger/fast", json={"count": count})

    assert answer.status_code == 422
    assert_sentence(answer, f"from 1 to {MAX_COUNT}", "got ")


@pytest.mark.parametrize(
    "seconds", ["-1", "31", "1e999", "NaN", '"2"', "true", "null", "[]", '"<b>"']
)
def test_bad_seconds(client, seconds):
    """A parameter that is no number, or out of range, is refused with the range."""
    answer = client.post(
        "/api/trigger/slow",
        content=f'{{"params": {{"seconds": {seconds}}}}}',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert_sentence(answer, "seconds must be a number from 0 to 30 s", "got ")


@pytest.mark.parametrize(
    ("scenario", "params", "words"),
    [
        ("fast", {"seconds": 1}, "fast has no parameter 'seconds'; it takes none"),
        ("slow", {"sec": 1}, "slow has no parameter 'sec'; it takes seconds"),
        ("slow", [1], "params must be an object"),
        ("slow", "seconds=1", "params must be an object"),
        ("slow", 5, "params must be an object"),
        ("slow", ["x" * 5000], "params must be an object"),
    ],
)
def test_bad_params(client, scenario, params, words):
    """Parameters that do not exist, or are no object, are refused."""
    answer = client.post(f"/api/trigger/{scenario}", json={"params": params})

    assert answer.status_code == 422
    assert_sentence(answer, words)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("{", "application/json"),
        ("count=5", "application/json"),
        ("\x00", "application/json"),
        ("[1]", "application/json"),
        ('"fast"', "application/json"),
        ("5", "application/json"),
        ("null", "application/json"),
        ('{"cuont": 5}', "application/json"),
        ("count=5", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/json"),
        ("x" * 5000, "text/plain"),
    ],
)
def test_bad_body(client, fired, content, content_type):
    """A body that is no order is refused in a sentence, and nothing is sent."""
    answer = client.post(
        "/api/trigger/fast", content=content, headers={"Content-Type": content_type}
    )

    assert answer.status_code == 422
    assert_sentence(answer, "JSON object")
    assert fired == []


@pytest.mark.parametrize("content", ['{"count": ' + "9" * 5000 + "}", "[" * 100_000])
def test_hostile_body(client, fired, content):
    """A body that is made to hurt the parser is refused like any other."""
    answer = client.post(
        "/api/trigger/fast",
        content=content,
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert_sentence(answer, "JSON object")
    assert fired == []


def test_name_that_is_no_text(client):
    """A parameter whose name no encoding can hold is refused like any other."""
    answer = client.post("/api/trigger/slow", content=r'{"params": {"\ud800": 1}}')

    assert answer.status_code == 422
    assert_sentence(answer, "slow has no parameter", "it takes seconds")


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", ""]
)
def test_trigger_from_a_shell(client, fired, content_type):
    """An order counts for what it says, even where curl calls it a form."""
    answer = client.post(
        "/api/trigger/fast",
        content='{"count": 5}',
        headers={"Content-Type": content_type},
    )

    assert answer.status_code == 202
    assert fired == [("fast", 5, {})]


def test_no_demo(client):
    """Without a demo app there is nobody to send to, and that is said."""
    answer = client.post("/api/trigger/fast", json={"count": 1})

    assert answer.status_code == 503
    assert_sentence(answer, "there is no demo app")


def test_over_budget(client, app, monkeypatch):
    """Too much at once is refused with 429 and the reason."""

    def refuse(*args):
        raise OverBudget("400 requests are under way; wait until some are answered")

    monkeypatch.setattr(app.state.dashboard, "fire", refuse)
    answer = client.post("/api/trigger/fast", json={"count": 1})

    assert answer.status_code == 429
    assert_sentence(answer, "wait until")


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({}, ("slow", OWN_CAST, {})),
        ({"count": 5}, ("slow", 5, {})),
        ({"count": 5, "params": None}, ("slow", 5, {})),
        ({"count": 2, "params": {"seconds": 3}}, ("slow", 2, {"seconds": 3})),
    ],
)
def test_trigger(client, fired, body, call):
    """A good order is accepted and carried out as it was given."""
    answer = client.post("/api/trigger/slow", json=body)

    assert (answer.status_code, answer.json()) == (202, {"batch": "b1"})
    assert fired == [call]


def test_trigger_without_a_body(client, fired):
    """An order without a body is what the scenario sends by itself."""
    answer = client.post("/api/trigger/slow")

    assert answer.status_code == 202
    assert fired == [("slow", OWN_CAST, {})]


def assert_sentence(answer, *words):
    """Check that an answer's detail is one short line with these words."""
    detail = answer.json()["detail"]
    assert isinstance(detail, str), detail
    assert "\n" not in detail
    assert len(detail) < 300
    for word in words:
        assert word in detail


# ------------------------------------------------------------------- who may come


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": OWN_PAGE},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1.evil.example:8000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "garbage"},
    ],
)
def test_cross_site(client, fired, headers):
    """What another page sends is refused, in a sentence, before anything happens."""
    answer = client.post("/api/trigger/fast", json={"count": 1}, headers=headers)

    assert answer.status_code == 403
    assert_sentence(answer, "use the dashboard's own page")
    assert_guarded(answer)
    assert fired == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": OWN_PAGE},
        {"Sec-Fetch-Site": "none"},
        {"Origin": OWN_PAGE},
    ],
)
def test_same_site(client, fired, headers):
    """Our own page may send, and so may a tool that is no browser."""
    answer = client.post("/api/trigger/fast", json={"count": 1}, headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "["])
@pytest.mark.parametrize("path", ["/", "/api/state", "/events"])
def test_foreign_host(client, host, path):
    """A name that is not ours is refused, whatever is asked for."""
    answer = client.get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert_guarded(answer)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "localhost:1234", "[::1]:8000", "LOCALHOST"]
)
def test_own_host(client, host):
    """This machine's own names are ours, on any port."""
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/api/state", "/nowhere", "/static/favicon.svg"]
)
def test_security_headers(client, path):
    """Every answer forbids a page to load anything from elsewhere."""
    assert_guarded(client.get(path, headers=BROWSER))


def assert_guarded(answer):
    """Check the headers that every answer has."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers


# ---------------------------------------------------------------------- the stream


class Caller:
    """Call an ASGI app by hand, so that nothing is buffered on the way."""

    def __init__(self, app, path, headers=()):
        self.events = asyncio.Queue()
        self.start = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._asked = False
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1:8000"), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self):
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.start.set_result(message)
        elif message.get("body"):
            self.events.put_nowait(message["body"])

    async def event(self):
        """Wait for the next event; give its fields."""
        async with asyncio.timeout(10):
            data = await self.events.get()
        lines = data.decode().strip().split("\n")
        return dict(line.split(": ", 1) for line in lines)

    async def leave(self):
        """Go away, as a browser that closes its tab."""
        self._gone.set()
        async with asyncio.timeout(10):
            await self.task


@pytest.fixture
async def running(app):
    """Run the app's lifespan in the test's own loop."""
    async with app.router.lifespan_context(app):
        yield app


@pytest.mark.anyio
async def test_events(running):
    """The stream is `hello` and then frames in order, unbuffered, each with its id."""
    caller = Caller(running, "/events")
    start = await caller.start
    events = [await caller.event() for _ in range(4)]
    await caller.leave()

    headers = dict(start["headers"])
    assert start["status"] == 200
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-security-policy" in headers
    assert [event["event"] for event in events] == ["hello"] + ["frame"] * 3
    assert events[0]["retry"] == "1000"
    seqs = [json.loads(event["data"])["seq"] for event in events[1:]]
    first = json.loads(events[0]["data"])["snapshot"]["seq"]
    assert seqs == [first + 1, first + 2, first + 3]
    run = running.state.dashboard.stream.run
    assert [event["id"] for event in events[1:]] == [f"{run}-{seq}" for seq in seqs]


@pytest.mark.anyio
async def test_events_resume(running):
    """A browser that comes back with its last id is told what it missed."""
    caller = Caller(running, "/events")
    await caller.event()
    last = (await caller.event())["id"]
    await caller.leave()
    again = Caller(running, "/events", [(b"last-event-id", last.encode())])
    hello, frame = await again.event(), await again.event()
    await again.leave()

    assert json.loads(hello["data"])["resumed"]
    run, _, seq = last.partition("-")
    assert frame["id"] == f"{run}-{int(seq) + 1}"


@pytest.mark.anyio
async def test_viewer_leaves(running):
    """A viewer that goes away is forgotten; the others go on."""
    one, other = Caller(running, "/events"), Caller(running, "/events")
    await one.event()
    await other.event()
    stream = running.state.dashboard.stream
    both = len(stream.viewers)
    await one.leave()
    left = len(stream.viewers)
    while not other.events.empty():
        other.events.get_nowait()
    event = await other.event()
    await other.leave()

    assert (both, left, len(stream.viewers)) == (2, 1, 0)
    assert event["event"] == "frame"


@pytest.mark.anyio
async def test_stuck_viewer_is_let_go(running, monkeypatch):
    """A viewer whose socket takes nothing any more is given up, without a traceback."""
    monkeypatch.setattr("dashboard.server.streaming.seats.SEND_TIMEOUT_S", 0.01)
    stuck = asyncio.Event()

    async def send(message):
        if message.get("body"):
            stuck.set()
            await anyio.sleep_forever()

    caller = Caller(running, "/nowhere")
    await caller.leave()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/events",
        "raw_path": b"/events",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
    }
    asked = 0

    async def receive():
        # The first question is whether it leaves; it never does, until the kernel
        # gives its connection up.
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(10):
        await running(scope, receive, send)

    assert stuck.is_set()
    assert running.state.dashboard.seats.taken == 0
    assert running.state.dashboard.stream.viewers == set()


@pytest.mark.anyio
async def test_broken_ring_is_told(running, tmp_path, eventually):
    """A file that is no ring is one sentence in the state, and the rest goes on."""
    (tmp_path / "rings").mkdir(exist_ok=True)
    (tmp_path / "rings" / "1-1-1.ring").write_bytes(b"garbage")
    described = running.state.dashboard.describe_state
    await eventually(lambda: described()["notices"], "a notice")

    (notice,) = described()["notices"]
    assert notice.startswith("1-1-1.ring is not a ring")
