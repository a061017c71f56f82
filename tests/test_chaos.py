"""A handful of random faults; `python tests/benchmarks/chaos.py` injects a thousand."""

from __future__ import annotations

import pytest
from chaos import Chaos, Unaccounted

#: A second each, where the machine has nothing else to do.
FAULTS = 6
SEED = 7


@pytest.fixture
def chaos(tmp_path):
    """A recorded app, a dashboard, and everything that can happen to them."""
    chaos = Chaos(tmp_path, SEED)
    yield chaos
    chaos.close()


@pytest.mark.timeout(300)
def test_nothing_is_unaccounted_for(chaos):
    """Whatever breaks, each answered request is drawn or counted as lost."""
    for _ in range(FAULTS):
        chaos.strike()

    assert chaos.accounted >= FAULTS


@pytest.mark.timeout(120)
def test_oracle_objects(chaos):
    """An answer that nobody draws and no loss explains is found."""
    chaos.app.answers += 1

    with pytest.raises(Unaccounted, match="answered 1 requests, 0 are drawn"):
        chaos._judge(chaos.app, "nothing", 0.1)
