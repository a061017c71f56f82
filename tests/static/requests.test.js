import assert from "node:assert/strict";
import { test } from "node:test";

import { Lane, Lanes } from "../../static/js/model/lanes.js";
import { culpritOf, filtered, openRequestAt, percentile, requestInWords, requestsAt, routesOf, sorted } from "../../static/js/model/requests.js";
import { readPlace, whereabouts } from "../../static/js/model/whereabouts.js";
import * as wire from "../../static/js/wire.js";
import { seeded } from "./support.js";

const NO_SPLIT = { outside_ms: null, running_ms: 0, ready_ms: 0, waiting_ms: 0, thread_queue_ms: 0, thread_ms: 0, process_ms: 0 };

function request(id, changes = {}) {
  return { id, loop: 1, method: "GET", route: "/slow", status: 200, scenario: "", start_ns: 0, end_ns: id * 10, total_ms: 5, split: NO_SPLIT, ...changes };
}

const ids = (requests) => requests.map(({ id }) => id);

test("a percentile is the smallest value that so many do not exceed, as counting finds it", () => {
  const random = seeded(3);
  for (let count = 1; count < 40; count += 1) {
    const values = Array.from({ length: count }, () => Math.floor(random() * 50)).sort((a, b) => a - b);
    for (const share of [0.01, 0.5, 0.95, 1]) {
      const enough = values.filter((value) => values.filter((other) => other <= value).length >= share * count);
      assert.equal(percentile(values, share), Math.min(...enough));
    }
  }
});

test("routes are told with their percentiles, the slowest first, without what is under way", () => {
  const all = [1, 2, 3, 4].map((id) => request(id, { total_ms: id }));
  const routes = routesOf([...all, request(5, { route: "/block", total_ms: 900 }), request(6, { end_ns: Infinity })]);

  assert.deepEqual(routes.map(({ name, count, p50, p95, max }) => [name, count, p50, p95, max]), [
    ["GET /block", 1, 900, 900, 900], ["GET /slow", 4, 2, 4, 4],
  ]);
});

test("the filter takes parts of names, states and bounds, and all of them must fit", () => {
  const all = [request(1), request(2, { route: "/fast", status: 500 }), request(3, { total_ms: 250 })];

  assert.deepEqual(ids(filtered(all, "/slow")), [1, 3]);
  assert.deepEqual(ids(filtered(all, "500")), [2]);
  assert.deepEqual(ids(filtered(all, "SLOW >100")), [3]);
  assert.deepEqual(ids(filtered(all, "<100 get")), [1, 2]);
  assert.deepEqual(ids(filtered(all, "  ")), [1, 2, 3]);
});

test("sorting goes both ways, and equals stay newest first", () => {
  const all = [request(3), request(2, { total_ms: 9 }), request(1)];

  assert.deepEqual(ids(sorted(all, "total", true)), [2, 3, 1]);
  assert.deepEqual(ids(sorted(all, "total", false)), [3, 1, 2]);
  assert.deepEqual(ids(sorted(all, "newest", false)), [1, 2, 3]);
});

test("a request under way has its split so far, and due counts as waiting for its turn", () => {
  const lane = new Lane(2, wire.REQUEST_LANE, 1, "GET /slow", 7, 0);
  for (const [ns, state] of [[0, wire.OUTSIDE], [10e6, wire.RUNNING], [12e6, wire.WAITING], [100e6, wire.DUE]]) lane.enter(ns, state, 0, 0);
  const { split, total_ms: total, route } = openRequestAt(lane, 150e6);

  assert.equal(route, "/slow");
  assert.equal(total, 150);
  assert.deepEqual([split.outside_ms, split.running_ms, split.waiting_ms, split.ready_ms], [10, 2, 88, 50]);
  assert.equal(Object.values(split).reduce((sum, ms) => sum + ms, 0), total);
});

test("the table at a moment of the past has those under way, then what was finished by then", () => {
  const lanes = new Lanes();
  const lane = new Lane(2, wire.REQUEST_LANE, 1, "GET /slow", 7, 20);
  lane.enter(20, wire.WAITING, 0, 0);
  lane.enter(500e6, wire.GONE, 0, 0);
  lanes.add(lane);
  const history = { lanes, requests: { finished: [request(1), request(2), request(7, { end_ns: 500e6 })] } };

  assert.deepEqual(ids(requestsAt(history, 300e6)), [7, 2, 1]);
  assert.equal(requestsAt(history, 300e6)[0].end_ns, Infinity);
  assert.deepEqual(ids(requestsAt(history, 15)), [1]);
  assert.equal(requestsAt(history, 600e6)[0].end_ns, 500e6);
});

test("a late request names the stall that cost it most, and no other", () => {
  const stall = (id, startMs, ms, changes = {}) => ({ id, loop: 1, start_ns: startMs * 1e6, duration_ms: ms, over: true, request: 0, culprit: { file: "a.py", line: id, function: "f" }, ...changes });
  const late = request(9, { start_ns: 0, total_ms: 500, split: { ...NO_SPLIT, ready_ms: 480 } });

  assert.equal(culpritOf(late, [stall(1, 0, 100), stall(2, 100, 350), stall(3, 900, 900)]).line, 2);
  assert.equal(culpritOf(late, [stall(1, 0, 400, { loop: 2 }), stall(2, 0, 400, { request: 9 })]), null);
  assert.equal(culpritOf(request(9, { total_ms: 500, split: { ...NO_SPLIT, waiting_ms: 500 } }), [stall(1, 0, 500)]), null);
});

test("a lane is at the line that it awaits, and between two waits at the nearer known one", () => {
  const texts = ["", "sleep\tapp.py:31 in slow", "app.handler\tapp.py:29 in slow"];
  const lane = new Lane(2, wire.REQUEST_LANE, 1, "GET /slow", 7, 0);
  for (const [ns, state, info = 0] of [[0, wire.READY], [10, wire.RUNNING], [20, wire.WAITING, 1], [30, wire.READY], [40, wire.RUNNING, 2], [50, wire.GONE]]) lane.enter(ns, state, info, 0);
  const at = (ns) => Object.values(whereabouts(lane, (i) => texts[i], ns)).join(": ");

  assert.equal(at(15), "app.py:31 in slow: runs up to here");
  assert.equal(at(25), "app.py:31 in slow: awaits here");
  assert.equal(at(35), "app.py:31 in slow: goes on here when it is its turn");
  assert.equal(at(45), "app.py:29 in slow: runs here");
  assert.equal(at(55), "app.py:29 in slow: was here last");
  lane.enter(60, wire.WAITING, 1, 0);
  lane.enter(70, wire.READY, 3, 0);
  texts.push("\t_set_result_unless_cancelled");
  assert.equal(at(75), "app.py:31 in slow: goes on here when it is its turn");
  assert.deepEqual(readPlace("my app.py:31 in Shop.slow"), { file: "my app.py", line: 31, function: "Shop.slow" });
  assert.equal(readPlace("nowhere"), null);
});

test("what may have waited at the door says so, is late for all that anybody knows, and counts in no sum", () => {
  const own = { ...NO_SPLIT, running_ms: 3 };
  const maybe = request(1, { start_ns: 2e9, total_ms: 3, split: own, outside_most_ms: 1900 });
  const known = request(2, { total_ms: 3, split: own, outside_most_ms: null });
  const stall = { loop: 1, request: 7, start_ns: 0.1e9, duration_ms: 1900, culprit: { file: "a.py", line: 3, function: "f" } };

  assert.equal(
    requestInWords(maybe).replaceAll("\u00a0", " "),
    "3.00 ms of your code; it may have waited at the door before, up to 1.90 s, not counted here",
  );
  assert.equal(requestInWords(known).replaceAll("\u00a0", " "), "3.00 ms of your code");
  assert.equal(culpritOf(maybe, [stall]), stall.culprit);
  assert.equal(culpritOf(known, [stall]), null);
  assert.deepEqual(ids(sorted([known, maybe], "turn", true)), [1, 2]);
  assert.deepEqual(routesOf([maybe, known]).map(({ p95, mostMs }) => [p95, mostMs]), [[3, 1900]]);
});
