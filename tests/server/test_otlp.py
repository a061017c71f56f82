"""What is pushed to a collector is what `/metrics` tells."""

from __future__ import annotations

import queue
import re
import socket
import threading
from bisect import bisect_left
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from starlette.testclient import TestClient

from dashboard.app import create_app
from dashboard.errors import SettingsError
from dashboard.ring import Identity
from dashboard.server.settings import Settings

service = pytest.importorskip(
    "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2"
)
otlp = pytest.importorskip("dashboard.server.exports.otlp")


@pytest.fixture
def collector():
    """A collector: its address, and the requests that it got."""
    got = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join(20)
    server.server_close()


def test_pushed(tmp_path, collector, monkeypatch):
    """Gauges, counters and histograms arrive, by the same names and with all buckets."""
    address, got = collector
    monkeypatch.setattr(otlp, "EVERY_S", 0.01)
    app = create_app(Settings(demo=False, ring_dir=tmp_path / "rings", otlp=address))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        session = app.state.dashboard.session
        loop = session.add_loop(Identity(77, 1, 0, 0, 0, "asyncio", "3.13", "shop"))
        loop.model.effort.add(0, 5_000_000, is_spin=False)
        # What was on its way tells nothing of it yet.
        for _ in range(1000):
            sent = read(*got.get(timeout=40))
            if sent["asyncio_eventloop_step_seconds"].histogram.data_points:
                break
        told = client.get("/metrics").text

    types = re.findall(r"^# TYPE (\w+?)(?:_total)? \w+$", told, re.MULTILINE)
    (step,) = sent["asyncio_eventloop_step_seconds"].histogram.data_points
    labels = {each.key: each.value.string_value for each in step.attributes}
    assert set(sent) == set(types)
    assert labels == {"app": "shop", "pid": "77", "loop": "1", "worker": "1"}
    assert (step.count, step.sum) == (1, 0.005)
    assert len(step.bucket_counts) == len(step.explicit_bounds) + 1
    within = bisect_left(step.explicit_bounds, 0.005)
    assert [number for number, n in enumerate(step.bucket_counts) if n] == [within]
    assert sent["loopscope_records"].sum.is_monotonic


def read(path, body):
    """Return what a collector was sent, by name."""
    request = service.ExportMetricsServiceRequest.FromString(body)
    assert path == "/v1/metrics"
    return {
        each.name: each
        for resource in request.resource_metrics
        for each in resource.scope_metrics[0].metrics
    }


def test_nobody_listens(tmp_path, monkeypatch, caplog):
    """Where no collector is the dashboard goes on, and says so once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    tries = queue.Queue()
    monkeypatch.setattr(otlp, "EVERY_S", 0.01)
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.1)
    export = otlp.OTLPMetricExporter.export
    monkeypatch.setattr(
        otlp.OTLPMetricExporter,
        "export",
        lambda self, data: tries.put(None) or export(self, data),
    )
    app = create_app(Settings(demo=False, ring_dir=tmp_path / "rings", otlp=address))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        for _ in range(3):
            tries.get(timeout=40)
        assert client.get("/healthz").status_code == 200

    assert len(said(caplog)) == 1
    assert f"the collector at {address} took no metrics" in said(caplog)[0]


def test_each_outage_is_told(tmp_path, monkeypatch, caplog):
    """A push that fails, in whichever way, is told when it begins to, and then not."""
    worked = otlp.otel.MetricExportResult.SUCCESS
    failed = otlp.otel.MetricExportResult.FAILURE
    raised = ConnectionError("nobody is there")
    left = [failed, raised, worked, raised, failed]
    all_done = threading.Event()

    def export(self, data):
        if not left:
            all_done.set()
            return worked
        result = left.pop(0)
        if result is raised:
            raise raised
        return result

    monkeypatch.setattr(otlp, "EVERY_S", 0.01)
    monkeypatch.setattr(otlp.OTLPMetricExporter, "export", export)
    app = create_app(Settings(demo=False, ring_dir=tmp_path / "rings", otlp="http://x"))
    with TestClient(app):
        assert all_done.wait(40)

    first, second = said(caplog)
    assert "(the push failed)" in first
    assert "(ConnectionError: nobody is there)" in second


def said(caplog):
    """Return what we have logged, and the exporter has not."""
    return [each.getMessage() for each in caplog.records if each.name == "loopscope"]


@pytest.mark.parametrize("address", ["localhost:4318", "ftp://x", "http://", "a b"])
def test_address(address, monkeypatch):
    """What is no address of a collector is refused, with one that is."""
    monkeypatch.setenv("LOOPSCOPE_OTLP", address)
    with pytest.raises(SettingsError, match="such as http://localhost:4318"):
        Settings.from_env()
