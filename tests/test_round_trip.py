"""What a saved recording shows is what the live page showed, on the real product."""

from __future__ import annotations

import pytest
from round_trip import Live, compare

LOAD_S = 3


@pytest.mark.timeout(180)
def test_mixed_load(tmp_path):
    """Spans, requests, stalls, incidents and `/api/state` of a file are the live ones."""
    live = Live(tmp_path)
    file = tmp_path / "load.loopscope"
    try:
        live.load(LOAD_S)
        state = live.save(file)
        said, differences = compare(live, state, file)
    finally:
        live.close()

    assert differences == [], "\n".join(differences[:5])
    # All of it was there to be compared.
    assert live.viewer.losses == dict.fromkeys(live.viewer.losses, 0), said
    assert {each["status"] for each in state["requests"]} >= {200, 404, 422}
    assert state["stalls"]
