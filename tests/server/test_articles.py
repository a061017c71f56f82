"""The page on the articles names real scenarios and facts, and no number by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import dashboard
from dashboard.app import create_app
from dashboard.demo import stories
from dashboard.server.model.request import Request
from dashboard.server.presses.facts import find_facts, in_words
from dashboard.server.settings import Settings

TEMPLATE = (
    Path(dashboard.__file__).parents[1] / "templates" / "articles.html"
).read_text()
CLAIMS = re.findall(
    r'{% call claim\("(.*?)", "(.*?)", "(.*?)"\) %}(.*?){% endcall %}', TEMPLATE, re.S
)
FACTS = sorted(set(re.findall(r'{{ n\("(\w+)\.(\w+)"\) }}', TEMPLATE)))


def request_of(number):
    """Return an answered request, as the model would leave it."""
    return Request(number, 1, 0, 0, status=200, answered_ns=5_000_000, ended=True)


@pytest.fixture
def page(tmp_path):
    """The page, as a browser gets it before anything is measured."""
    app = create_app(Settings(demo=False, ring_dir=tmp_path / "rings"))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        return client.get("/articles").text


def test_every_claim_is_judged():
    """Each claim has one of three verdicts, a story that exists, and measured numbers."""
    known = {story.id for story in stories.OURS.stories}

    assert len(CLAIMS) > 40
    assert {verdict for _, verdict, _, _ in CLAIMS} == {"true", "false", "it depends"}
    for quote, _, story, words in CLAIMS:
        assert story in known, quote
        assert "{{ n(" in words, quote


def test_the_false_claims():
    """What is refuted: the hidden thread around a sync call, and aiofiles' one thread."""
    false = [quote for quote, verdict, _, _ in CLAIMS if verdict == "false"]

    assert [quote for quote in false if "synchronous functions called" in quote]
    assert [quote for quote in false if "lone thread" in quote]


def test_facts_are_measured_ones():
    """Each number's place names a scenario that can be sent, and a fact that is found."""
    facts = in_words(find_facts([request_of(1)], [request_of(2)], [], ["asyncio"], 100))

    for scenario, name in FACTS:
        stories.find(scenario)
        assert name in facts, f"{scenario}.{name}"


def test_no_number_before_it_is_measured(page):
    """A page that has measured nothing shows a dash in each place, and no number."""
    places = re.findall(r'<b class="fact" data-fact="[\w.]+">(.*?)</b>', page)

    assert len(places) >= len(FACTS)
    assert set(places) == {"–"}


@pytest.mark.parametrize(
    "scenario", stories.SCENARIOS, ids=lambda scenario: scenario.id
)
def test_explanations_can_be_written(scenario):
    """Each explanation names facts that every batch has."""
    others = [request_of(2)] if scenario.others else []
    facts = in_words(find_facts([request_of(1)], others, [], ["asyncio"], 100))

    assert "{" not in scenario.explain.format_map(facts)
