"""Dashboards for the tests of the demo app."""

from __future__ import annotations

import pytest
from pressing import Product


@pytest.fixture
def start(tmp_path):
    """Start dashboards, and end them all afterwards."""
    started = []

    def start(*flags, **env):
        product = Product(tmp_path / f"rings-{len(started)}", *flags, **env)
        started.append(product)
        return product

    yield start
    for product in started:
        product.stop()


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """One dashboard for all tests of a file."""
    product = Product(tmp_path_factory.mktemp("rings"))
    # So that no lesson pays for the first connections of all.
    product.press("fast_alone")
    yield product
    product.stop()
