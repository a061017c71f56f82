import assert from "node:assert/strict";
import { test } from "node:test";

import { History, KEEP_NS } from "../../static/js/model/history.js";
import * as wire from "../../static/js/wire.js";
import { frameOf, helloOf } from "./support.js";

const LANES = [
  [1, wire.LOOP_LANE, 1, 1, 0, 0],
  [2, wire.REQUEST_LANE, 1, 2, 7, 100],
];
const STRINGS = ["", "the loop", "GET /slow", "sleep\tapp.py:31 in slow"];

function rows(...list) {
  let before = list[0][0];
  const t = list.map(([at]) => {
    const delta = at - before;
    before = at;
    return delta;
  });
  const column = (k) => list.map((row) => row[k] ?? 0);
  return { t0: list[0][0], t, lane: column(1), state: column(2), info: column(3), who: column(4) };
}

function started() {
  const history = new History();
  history.begin(helloOf({ snapshot: frameOf({ strings: STRINGS, lanes: LANES }) }));
  return history;
}

test("rows tile a lane's life without gap or overlap", () => {
  const history = started();
  history.apply(
    frameOf({
      t_ns: 900,
      rows: rows([100, 2, wire.OUTSIDE], [150, 2, wire.RUNNING], [300, 2, wire.WAITING, 3], [800, 2, wire.GONE]),
    }),
  );
  const { spans, endNs } = history.lanes.get(2);
  const starts = [0, 1, 2, 3].map((i) => spans.startNs(i));

  assert.deepEqual(starts, [100, 150, 300, 800]);
  [0, 1, 2].forEach((i) => assert.equal(spans.endNs(i, 900), starts[i + 1]));
  assert.equal(endNs, 800);
});

test("rows of different lanes need not come in time order", () => {
  const history = started();
  history.apply(frameOf({ rows: rows([500, 1, wire.RUNNING], [100, 2, wire.OUTSIDE], [510, 1, wire.IDLE]) }));

  assert.equal(history.lanes.get(1).spans.startNs(1), 510);
  assert.equal(history.lanes.get(2).spans.startNs(0), 100);
});

test("a lane that is announced again takes its new name and keeps its rows", () => {
  const history = started();
  history.apply(frameOf({ rows: rows([100, 2, wire.OUTSIDE]) }));
  history.apply(frameOf({ strings: ["GET /fast"], lanes: [[2, wire.REQUEST_LANE, 1, 4, 7, 100]] }));

  assert.equal(history.lanes.get(2).label, "GET /fast");
  assert.equal(history.lanes.get(2).spans.count, 1);
  assert.equal(history.lanes.all.length, 2);
});

test("a new snapshot replaces everything, a resumed stream keeps everything", () => {
  const history = started();
  history.begin(helloOf({ resumed: true }));
  assert.equal(history.lanes.all.length, 2);

  history.begin(helloOf({ run: "two", snapshot: frameOf({ strings: [""], lanes: [] }) }));
  assert.equal(history.lanes.all.length, 0);
  assert.deepEqual(history.strings, [""]);
});

test("lanes and rows are kept for an hour, whatever the server keeps, and then forgotten", () => {
  const history = started();
  history.apply(frameOf({ t_ns: 1e9, rows: rows([100, 2, wire.WAITING], [200, 2, wire.GONE], [300, 1, wire.IDLE], [400, 1, wire.RUNNING]) }));
  history.apply(frameOf({ t_ns: 70e9 }));
  assert.equal(history.lanes.get(2).spans.count, 2);
  history.apply(frameOf({ t_ns: KEEP_NS + 10e9 }));

  assert.equal(history.lanes.get(2), undefined);
  assert.equal(history.lanes.get(1).spans.count, 1, "what the loop does now is never forgotten");
});

test("what a recording's frames tell is over, and its numbers over time come with what the rules say", () => {
  const history = new History();
  const recording = { name: "it", from_ns: 0, to_ns: 3e9 };
  const loops = [{ id: 1, state: "idle", utilisation: 0.25, lag_ms: 5, ready: 0 }];
  const requests = [{ loop: 1, end_ns: 1.55e9, total_ms: 7 }];
  history.begin(helloOf({ recording, snapshot: frameOf({ strings: STRINGS, lanes: LANES, loops: [] }) }));
  history.apply(frameOf({ t_ns: 1e9, loops: [], rows: rows([0, 1, wire.IDLE], [1e9, 1, wire.RUNNING]) }));
  history.apply(frameOf({ t_ns: 3e9, loops: [], rows: rows([2e9, 1, wire.IDLE]) }));
  assert.equal(history.metrics.of(1), null);
  history.apply(frameOf({ t_ns: 3e9, loops, requests, diagnosis: { findings: [], checks: [] } }));
  history.apply(frameOf({ t_ns: 3e9, loops, stall_threshold_ns: 5 }));
  const samples = history.metrics.of(1);

  assert.equal(samples.value("latency", samples.indexAt(1.55e9)), 7);
  assert.equal(samples.value("busy", samples.indexAt(1.95e9)), 1);
  assert.equal(samples.value("lag", samples.indexAt(3e9)), 5);
});
