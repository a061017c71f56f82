"""The page's files, as a browser asks for them."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from dashboard.server.routes.assets import Assets

TEXT = "export const one = 1;\n"


@pytest.fixture
def client(tmp_path):
    (tmp_path / "one.js").write_text(TEXT)
    (tmp_path / "folder").mkdir()
    app = Starlette(routes=[Mount("/", Assets(directory=tmp_path))])
    return TestClient(app)


def test_file(client):
    """A file comes whole, as what it is."""
    answer = client.get("/one.js")

    assert answer.text == TEXT
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-length"] == str(len(TEXT))


def test_known_file(client):
    """A browser that has it is told so."""
    known = {"if-none-match": client.get("/one.js").headers["etag"]}
    again = client.get("/one.js", headers=known)

    assert (again.status_code, again.content) == (304, b"")


def test_changed_file(client, tmp_path):
    """What was changed while we run is served as it is now."""
    known = {"if-none-match": client.get("/one.js").headers["etag"]}
    (tmp_path / "one.js").write_text(TEXT * 2)
    again = client.get("/one.js", headers=known)

    assert (again.status_code, again.text) == (200, TEXT * 2)


def test_head_and_part(client):
    """Its head and a part of it can be asked for, too."""
    head = client.head("/one.js")
    part = client.get("/one.js", headers={"range": "bytes=0-5"})

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(TEXT))
    assert (part.status_code, part.text) == (206, TEXT[:6])


@pytest.mark.parametrize("path", ["/two.js", "/folder", "/one.js%00"])
def test_no_file(client, path):
    """What is no file of the folder is not found."""
    assert client.get(path).status_code == 404


def test_other_method(client):
    """Nothing can be written."""
    assert client.post("/one.js").status_code == 405
