"""Everything turns in its order, however long one turn of it takes."""

from __future__ import annotations

from types import SimpleNamespace

from dashboard.server import dashboard as module
from dashboard.server.dashboard import Dashboard
from dashboard.server.settings import Settings

SECOND = 1_000_000_000


def test_answer_that_came_while_records_were_read(tmp_path, monkeypatch):
    """An answer counts as one without records only when a reading has begun after it."""
    dashboard = Dashboard(Settings(demo=False, ring_dir=tmp_path / "rings"))
    clock = SimpleNamespace(now_ns=SECOND)
    now = SimpleNamespace(monotonic_ns=lambda: clock.now_ns)
    inbox, requests = dashboard._inbox, dashboard.session.requests

    def read_slowly():
        # On a busy machine: whatever was written meanwhile is read next time.
        inbox.answered(1, 2 * SECOND, 200, b"")
        clock.now_ns = 9 * SECOND
        return False

    monkeypatch.setattr(module, "time", now)
    monkeypatch.setattr(dashboard.follower, "poll", read_slowly)
    inbox.sent(
        1,
        SECOND,
        method="GET",
        path="/fast",
        scenario="fast",
        batch="b1",
        is_other=False,
        stage="main",
    )
    dashboard._read()
    open_then = len(requests.open)
    monkeypatch.setattr(dashboard.follower, "poll", lambda: False)
    dashboard._read()

    assert (open_then, len(requests.open)) == (1, 0)
