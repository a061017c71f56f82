"""Whatever may be asked of either server, and whatever may not: never a 500.

A few cases of each operation; `python tests/benchmarks/asking.py` sends 10,000.
"""

from __future__ import annotations

import pytest
from asking import ask_everything
from pressing import Product


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """A real dashboard with a real demo app, which is up."""
    product = Product(tmp_path_factory.mktemp("rings"))
    product.press("fast")
    yield product
    product.stop()


@pytest.mark.timeout(180)
def test_dashboard(product):
    """Each operation of the dashboard answers each request with what it is for."""
    statuses = ask_everything(product.url, cases=4)

    assert {200, 404} <= statuses.keys()


@pytest.mark.timeout(180)
def test_demo_app(product):
    """Each endpoint of the demo app does what it is asked, or says what is wrong."""
    statuses = ask_everything(product.demo_url, cases=2)

    assert statuses[200] > statuses.total() / 2
