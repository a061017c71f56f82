"""The table of requests: what a spreadsheet reads, and nothing that it would run."""

from __future__ import annotations

import asyncio
import csv
import io

from tapes import MS, Tape

from dashboard.server.exports.requests_csv import HEAD, write_table
from dashboard.server.routes import export_routes


def test_table():
    """A finished request is a row with its split; what nobody knows is empty."""
    tape = Tape()
    tape.born(1, "serve", 0)
    tape.request(5, 1, MS).answered(5, 3 * MS, 201)
    tape.step(1, MS, 4 * MS).play()
    rows = list(csv.DictReader(io.StringIO(table_of(tape))))

    assert tuple(rows[0]) == HEAD
    assert len(rows) == 1
    assert rows[0]["status"] == "201"
    assert rows[0]["outside_ms"] == ""
    assert rows[0]["started"] == "1970-01-01T00:00:01Z"
    split = [float(rows[0][name]) for name in HEAD[11:17] if rows[0][name]]
    assert sum(split) == float(rows[0]["total_ms"]) == 3


def test_no_formulas():
    """What a client calls its request is never a formula."""
    tape = Tape()
    tape.requests.sent(9, 0, method="=1+1", path="@x", scenario="s", loop=1)
    tape.requests.settle_outside(9, MS, 200)
    row = next(csv.DictReader(io.StringIO(table_of(tape))))

    assert (row["method"], row["route"]) == ("'=1+1", "'@x")


def table_of(tape):
    """Return the table of what a tape has finished; its origin is second 1."""
    return write_table(tape.requests.finished, origin_ns=0, origin_unix_ms=1000)


def test_written_beside_the_loop(client, monkeypatch):
    """The table is put together in a thread: many rows hold nobody's frames up."""
    where = []

    def write(finished, **times):
        where.append(asyncio._get_running_loop())
        return write_table(finished, **times)

    monkeypatch.setattr(export_routes, "write_table", write)

    assert client.get("/api/export/requests.csv").text.startswith("id,loop,")
    assert where == [None]
