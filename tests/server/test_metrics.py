"""Metrics are what the session knows, in formats that other tools read."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
from pressing import Product, wait_for
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from tapes import MS, Tape

from dashboard.records import Cell, Kind, RingState
from dashboard.ring import Identity
from dashboard.server.exports.metrics import expose
from dashboard.server.model.tallies import MAX_ROUTES, OTHER, Histogram, RequestTallies
from dashboard.server.session import Session

LOOP = {"app": "shop:app", "pid": "77", "loop": "1", "worker": "1"}
PROMTOOL = shutil.which("promtool")


@pytest.fixture
def session():
    """A loop that served `GET /buy` in 2 ms, and then held on for 300 ms."""
    session = Session(origin_ns=0)
    loop = session.add_loop(Identity(77, 1, 0, 0, 0, "asyncio", "3.13", "shop:app"))
    tape = Tape()
    tape.model = loop.model
    loop.model.names.strings = [""]
    tape.born(1, "serve", MS).put(Kind.DUE, 2 * MS, MS)
    tape.request(5, 1, 2 * MS)
    tape.put(Kind.REQUEST_NAME, 2 * MS, 0, 5, tape.text("GET", "/buy"))
    tape.answered(5, 3 * MS).step(1, 2 * MS, 3 * MS, Kind.STEP_DONE)
    tape.call("report", 10 * MS, 310 * MS).poll(310 * MS, 400 * MS).play()
    cells = dict.fromkeys(Cell, 0) | {
        Cell.STATE: RingState.RECORDING,
        Cell.TOKENS: 40,
        Cell.TOKENS_BORROWED: 3,
    }
    session.tick(loop, 400 * MS, cells, alive=True)
    return session


def samples_of(text, read=read_text):
    """Return every sample's value by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in read(text)
        for sample in family.samples
    }


@pytest.fixture
def value(session):
    """Find the value of a sample of the session's loop, or of a route."""
    samples = samples_of(expose(session, 400 * MS, "")[0].decode())

    def value(name, **labels):
        all_labels = (LOOP | labels) if "method" not in labels else labels
        return samples[name, *sorted(all_labels.items())]

    return value


def test_loop(value):
    """Steps, lateness, stalls and time are counted exactly."""
    assert value("asyncio_eventloop_step_seconds_count") == 2
    assert value("asyncio_eventloop_step_seconds_sum") == 0.301
    assert value("asyncio_eventloop_step_seconds_bucket", le="0.001048576") == 1
    assert value("asyncio_eventloop_lag_seconds_sum") == 0.001
    assert value("asyncio_eventloop_stall_seconds_count") == 1
    assert value("asyncio_eventloop_stall_seconds_sum") == 0.3
    assert value("asyncio_eventloop_idle_seconds_total") == 0.09 + 0.007
    assert value("asyncio_thread_tokens", state="borrowed") == 3
    assert value("loopscope_records_total") > 0
    assert value("loopscope_records_lost_total") == 0


def test_splits(value):
    """A route's parts add up to its total, and what nobody knows is left out."""
    route = {"app": "shop:app", "method": "GET", "route": "/buy"}

    assert value("asyncio_request_seconds_count", **route, part="total") == 1
    assert value("asyncio_request_seconds_sum", **route, part="total") == 0.002
    assert value("asyncio_request_seconds_sum", **route, part="ready") == 0.001
    assert value("asyncio_request_seconds_sum", **route, part="running") == 0.001
    with pytest.raises(KeyError):
        value("asyncio_request_seconds_count", **route, part="outside")


def test_openmetrics(session):
    """A scraper that asks for OpenMetrics gets the same in its format."""
    text, kind = expose(session, 400 * MS, "application/openmetrics-text")

    assert kind.startswith("application/openmetrics-text")
    assert samples_of(text.decode(), read_openmetrics).keys() >= {
        ("asyncio_eventloop_step_seconds_count", *sorted(LOOP.items()))
    }


@pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool here")
def test_promtool(session):
    """Prometheus's own judge has nothing to say against names, types and texts."""
    text, _ = expose(session, 400 * MS, "")
    judged = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, timeout=40
    )

    assert (judged.returncode, judged.stdout, judged.stderr) == (0, b"", b"")


def test_histogram():
    """A length is in every bucket that is wide enough for it, and in the last."""
    lengths = Histogram()
    for ns in (-5, 0, 2**20 - 1, 2**20, 2**60):
        lengths.add(ns)
    buckets = dict(lengths.buckets())

    assert buckets[2**18 / 1e9] == 2
    assert buckets[2**20 / 1e9] == 3
    assert buckets[2**21 / 1e9] == 4
    assert buckets[2**34 / 1e9] == 4
    assert buckets[float("inf")] == 5
    assert lengths.total_ns == 2**20 - 1 + 2**20 + 2**60


def test_routes_are_bounded():
    """Whoever asks for a million routes gets two hundred series and one for the rest."""
    tape = Tape()
    tallies = RequestTallies()
    for number in range(MAX_ROUTES + 50):
        request = tape.requests.begin(0, loop=1, span=None)
        tape.requests.name(request, "GET", f"/{number}")
        tallies.add(request)

    assert len(tallies.by_route) == MAX_ROUTES + 1
    assert sum(tallies.by_route["", *OTHER]["total"].counts) == 50


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus here")
def test_prometheus_scrapes(tmp_path):
    """A real Prometheus reads a real dashboard and answers a question from it."""
    product = Product(tmp_path / "rings")
    prometheus = None
    try:
        product.press("blocking")
        config = {
            "scrape_configs": [
                {
                    "job_name": "loopscope",
                    "scrape_interval": "1s",
                    "static_configs": [{"targets": [product.url.split("/")[-1]]}],
                }
            ]
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps(config))
        log = tmp_path / "log"
        with log.open("w") as output:
            prometheus = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={tmp_path / 'prometheus.yml'}",
                    f"--storage.tsdb.path={tmp_path / 'data'}",
                    "--web.listen-address=127.0.0.1:0",
                ],
                stderr=output,
            )
        address = wait_for(lambda: listening_on(log), "Prometheus to listen")
        query = "sum(asyncio_eventloop_stall_seconds_count)"

        def answer():
            url = f"http://{address}/api/v1/query?query={query}"
            try:
                with urllib.request.urlopen(url, timeout=20) as response:
                    return json.load(response)["data"]["result"]
            except urllib.error.HTTPError as error:
                # It listens before it has opened its own files, and says so.
                if error.code == 503:
                    return None
                raise

        result = wait_for(answer, "Prometheus to have scraped")
        assert float(result[0]["value"][1]) >= 1
    finally:
        if prometheus is not None:
            prometheus.terminate()
            prometheus.wait(20)
        product.stop()


def listening_on(log):
    """Return the address that Prometheus says it listens on, or None."""
    for line in log.read_text().splitlines():
        if "Listening on" in line:
            return line.rpartition("address=")[2].split()[0]
    return None
