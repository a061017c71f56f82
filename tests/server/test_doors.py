"""Who may come in, by which name, and who may press buttons."""

from __future__ import annotations

import socket

import pytest
from made_up import make_recording
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.server.routes.doors import COOKIE
from dashboard.server.settings import Settings
from dashboard.visitors import KnownNames

TOKEN = "a-token-of-this-run"
ORDER = {"count": 1}


@pytest.fixture
def client(tmp_path):
    """Give a client of a dashboard that other machines can reach."""
    settings = Settings(
        host="0.0.0.0", demo=False, ring_dir=tmp_path / "rings", token=TOKEN
    )
    with TestClient(create_app(settings), base_url="http://192.0.2.7:8000") as client:
        yield client


@pytest.mark.parametrize(
    ("host", "more", "header"),
    [
        ("127.0.0.1", (), "127.0.0.1:8000"),
        ("127.0.0.1", (), "LocalHost:1"),
        ("::1", (), "[::1]:8000"),
        ("::1", (), "[0:0:0:0:0:0:0:1]"),
        ("192.0.2.7", (), "192.0.2.7:8000"),
        ("box.example", (), "box.example"),
        ("0.0.0.0", (), "192.0.2.7:8000"),
        ("0.0.0.0", (), "[2001:db8::7]:8000"),
        ("::", (), "192.0.2.7"),
        ("0.0.0.0", (), socket.gethostname()),
        ("127.0.0.1", ("talk.example",), "Talk.Example:8000"),
    ],
)
def test_known(host, more, header):
    """The names of the address that we listen on are ours, and those that were given."""
    assert header in KnownNames(host, more)


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("127.0.0.1", "192.0.2.7"),
        ("127.0.0.1", "evil.example"),
        ("192.0.2.7", "192.0.2.8"),
        ("0.0.0.0", "evil.example"),
        ("0.0.0.0", "192.0.2.7.evil.example"),
        ("0.0.0.0", "evil.example@192.0.2.7"),
        ("0.0.0.0", "192.0.2.7/evil.example"),
        ("0.0.0.0", ""),
        ("::", "["),
        ("", ""),
    ],
)
def test_unknown(host, header):
    """A name that another site could have is refused, wherever we listen."""
    assert header not in KnownNames(host)


def test_unknown_name_is_told_what_to_do(client):
    """Who comes by an unknown name reads which flag makes it known."""
    answer = client.get("/", headers={"Host": "talk.example:8000"})

    assert answer.status_code == 400
    assert "does not go by the name 'talk.example:8000'" in answer.json()["detail"]
    assert "--allow-host" in answer.json()["detail"]


def test_viewers_watch_only(client):
    """Without the token everything can be seen and nothing be sent."""
    assert client.get("/").status_code == 200
    assert client.get("/api/state").status_code == 200

    answer = client.post("/api/trigger/fast", json=ORDER)

    assert answer.status_code == 403
    assert "open the presenter's link" in answer.json()["detail"]


def test_viewers_drop_nothing(client):
    """A file is read, which takes a processor, for a presenter alone; its page is for
    whoever is told its address."""
    file = {"url": "/api/recordings", "content": make_recording()}
    refused = client.post(**file)
    kept = repr(client.app.state.dashboard.drops)
    taken = client.post(**file, headers={"Authorization": f"Bearer {TOKEN}"})

    assert refused.status_code == 403
    assert "open the presenter's link" in refused.json()["detail"]
    assert kept == "<Drops: 0 pages>"
    assert taken.status_code == 201
    assert client.get(taken.json()["url"]).status_code == 200


def test_presenters_link(client):
    """The link gives a cookie that scripts cannot read, and is gone from the address."""
    answer = client.get(f"/?token={TOKEN}", follow_redirects=False)

    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert answer.headers["cache-control"] == "no-store"
    # 503: it came in, and there is no demo app.
    assert client.post("/api/trigger/fast", json=ORDER).status_code == 503


@pytest.mark.parametrize(
    "path", ["//evil.example", "///evil.example", "/\\evil.example"]
)
def test_link_leads_nowhere_else(client, path):
    """Whatever stands in a presenter's link, it leads to this dashboard."""
    url = f"http://192.0.2.7:8000{path}?token={TOKEN}"
    answer = client.get(url, follow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"] in ("/evil.example", "/%5Cevil.example")


def test_viewers_stream(client):
    """A viewer that is no presenter gets the stream, whatever cookie it has."""
    headers = {"Cookie": f"{COOKIE}=wrong"}
    client.app.state.dashboard.seats.limit = 0

    # 503: it came in, and every seat is taken.
    assert client.get("/events", headers=headers).status_code == 503


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ü"])
def test_wrong_token(client, token):
    """A token that is not the one of this run opens nothing, however it is given."""
    link = client.get("/", params={"token": token}, follow_redirects=False)
    post = client.post(
        "/api/trigger/fast",
        json=ORDER,
        headers={
            "Authorization": f"Bearer {token}".encode(),
            "Cookie": f"{COOKIE}={token}".encode(),
        },
    )

    assert link.status_code == 403
    assert "set-cookie" not in link.headers
    assert post.status_code == 403


def test_constant_time(client, monkeypatch):
    """Whether a token is the right one is for the constant-time comparison alone to say."""
    monkeypatch.setattr("hmac.compare_digest", lambda *_: False)
    link = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"{COOKIE}={TOKEN}"}
    post = client.post("/api/trigger/fast", json=ORDER, headers=headers)

    assert (link.status_code, post.status_code) == (403, 403)


def test_programs_send_the_token(client):
    """A program gives the token as a header."""
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answer = client.post("/api/trigger/fast", json=ORDER, headers=headers)

    assert answer.status_code == 503


def test_another_page_has_no_use_for_the_cookie(client):
    """A cross-site request is refused though its browser is the presenter's."""
    client.get(f"/?token={TOKEN}")

    answer = client.post(
        "/api/trigger/fast", json=ORDER, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 403


def test_without_a_token_nobody_sends(tmp_path):
    """Open to others, but without a token, is a dashboard that only shows."""
    settings = Settings(host="0.0.0.0", demo=False, ring_dir=tmp_path / "rings")
    with TestClient(create_app(settings), base_url="http://192.0.2.7") as client:
        answers = [
            client.post("/api/trigger/fast", json=ORDER, headers=headers)
            for headers in ({}, {"Authorization": "Bearer "}, {"Cookie": f"{COOKIE}="})
        ]

    assert {answer.status_code for answer in answers} == {403}


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("127.8.0.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.0.2.7", True),
        ("box.example", True),
    ],
)
def test_open_to_others(host, is_open):
    """Only an address of this machine alone needs no token."""
    assert Settings(host=host).is_open_to_others is is_open
