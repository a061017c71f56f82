"""A file that somebody drops is shown by a page of its own, or refused with a sentence."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import pytest
from made_up import make_recording

from dashboard.errors import BadParameter
from dashboard.server.presses import budgets
from dashboard.server.recordings import drops, recording

DATA = re.compile(r'data-part="handout">(.+?)</script>', re.DOTALL)
HOSTILE = "</script><script>alert(1)</script>"


def drop(client, data, name="shop.loopscope"):
    """Send a file."""
    return client.post("/api/recordings", params={"name": name}, content=data)


def test_shown(client, app):
    """Its page holds its stall and code, can ask nobody for anything, and is gone with the
    dashboard; of its file nothing is kept."""
    answer = drop(client, make_recording(HOSTILE), "../..//shop<b>.loopscope")
    page = client.get(answer.json()["url"])
    told = json.loads(DATA.search(page.text)[1])
    (stall,) = told["hello"]["snapshot"]["stalls"]
    folder = app.state.dashboard.drops.find(answer.json()["url"][12:]).parent

    assert (answer.status_code, page.status_code) == (201, 200)
    assert stall["culprit"]["function"] == "buy"
    assert stall["duration_ms"] == 300
    assert told["answers"]["/api/stalls/1"]["source"]["code"]
    assert told["hello"]["recording"]["name"] == "_..__shop_b_.loopscope"
    assert HOSTILE not in page.text
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.text
    assert [path.stat().st_size for path in folder.iterdir()] == [len(page.content)]
    assert folder.stat().st_mode & 0o077 == 0
    app.state.dashboard.drops.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"", 422, "is neither a recording nor a ring"),
        (
            b"PK\3\4" * 100,
            422,
            "is neither a recording nor a ring: it begins with b'PK",
        ),
        (make_recording()[:40], 422, "it ends after 40 bytes, in its head"),
        (make_recording()[:-9], 422, "no loop is in it, at least not yet"),
        (make_recording() + b"x" * 100, 422, "there is no chunk where one should"),
        (b"LOOPSCOP" + b"\xff" * 9000, 422, "shop.loopscope"),
        (recording.MAGIC + bytes(drops.DROP_BYTES), 413, "has more than 64 MB"),
    ],
)
def test_refused(client, data, status, says):
    """Truncated, foreign and gigantic files are a sentence each."""
    answer = drop(client, data)

    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_reader_is_bounded():
    """The process that reads a dropped file may take so much memory, computing and disk."""
    limits = "resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE"
    code = (
        "import resource; from dashboard.server.recordings.drop_page import _bound; _bound(); "
        f"print(*(resource.getrlimit(each) for each in ({limits})), sep='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    bounds = (4 << 30, 120, budgets.DROP_PAGE_BYTES)
    assert done.stdout == "".join(f"({most}, {most})" for most in bounds) + "\n"


def test_bounded(client, app, monkeypatch):
    """So many pages are kept, the newest, and as many bytes; one file is read at a time."""
    monkeypatch.setattr(drops, "DROP_KEEP", 2)

    async def make(file, page):
        page.write_bytes(file.read_bytes())

    monkeypatch.setattr(drops, "_make_page", make)
    urls = [drop(client, make_recording()).json()["url"] for _ in range(3)]
    found = [client.get(url).status_code for url in urls]
    monkeypatch.setattr(drops, "DROP_KEEP_BYTES", 1)
    urls.append(drop(client, make_recording()).json()["url"])
    app.state.dashboard.drops._is_busy = True

    assert found == [404, 200, 200]
    assert [client.get(url).status_code for url in urls] == [404, 404, 404, 200]
    assert drop(client, make_recording()).status_code == 429


@pytest.mark.anyio
async def test_never_arrives(monkeypatch):
    """Who sends without an end loses the place, and nothing of it stays."""
    monkeypatch.setattr(drops, "DROP_ARRIVES_S", 0.01)
    place = drops.Drops()

    async def trickle():
        while True:
            yield b"x"
            await asyncio.sleep(0)

    for _ in range(2):
        with pytest.raises(BadParameter, match=r"was not here after 0\.01 s"):
            await place.take(trickle(), "slow.loopscope")

    place.close()
