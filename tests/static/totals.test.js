import assert from "node:assert/strict";
import { test } from "node:test";

import { Lane } from "../../static/js/model/lanes.js";
import { sumStates, totalsOf } from "../../static/js/model/totals.js";
import { IDLE, LOOP_LANE, READY, REQUEST_LANE, RUNNING, STATES, WAITING } from "../../static/js/wire.js";
import { seeded, spansOf } from "./support.js";

test("time per state is what counting every nanosecond gives", () => {
  const random = seeded(3);
  const rows = [];
  let t = 0;
  for (let i = 0; i < 500; i += 1) {
    rows.push([t, 1 + Math.floor(random() * (STATES.length - 1))]);
    t += 1 + Math.floor(random() * 9);
  }
  const spans = spansOf(...rows);
  for (let k = 0; k < 40; k += 1) {
    const startNs = Math.floor(random() * t) - 20;
    const endNs = startNs + Math.floor(random() * t);
    const nowNs = Math.floor(t + random() * 40);
    const twin = new Float64Array(STATES.length);
    for (let ns = Math.max(startNs, 0); ns < Math.min(endNs, nowNs); ns += 1) {
      twin[rows.findLast(([start]) => start <= ns)[1]] += 1;
    }
    const sums = new Float64Array(STATES.length);
    sumStates(spans, startNs, Math.min(endNs, nowNs), nowNs, sums);
    assert.deepEqual(sums, twin);
  }
});

function laneOf(id, kind, request, ...rows) {
  const lane = new Lane(id, kind, 1, "", request, rows[0][0]);
  for (const [t, state, info = 0, who = 0] of rows) lane.enter(t, state, info, who);
  return lane;
}

test("an area says how long the loop was blocked, and by which runs, the worst first", () => {
  const loop = laneOf(1, LOOP_LANE, 0, [0, IDLE], [100, RUNNING, 5, 7], [400, RUNNING, 6], [410, IDLE], [500, RUNNING, 6], [520, IDLE]);
  const request = laneOf(2, REQUEST_LANE, 7, [50, READY], [100, RUNNING], [400, WAITING]);
  const totals = totalsOf([loop, request], { startNs: 200, endNs: 600 }, 1000, 250);

  assert.equal(totals.lengthNs, 400);
  assert.equal(totals.blockedNs, 200, "the part of the stall that is in the area");
  assert.equal(totals.loopNs[RUNNING], 230);
  assert.equal(totals.requests, 1);
  assert.equal(totals.requestNs[WAITING], 200);
  assert.deepEqual(
    totals.culprits.map(({ info, who, count, ns, longestNs }) => [info, who, count, ns, longestNs]),
    [[5, 7, 1, 200, 200], [6, 0, 2, 30, 20]],
  );
});

test("an area that reaches beyond now ends now", () => {
  const loop = laneOf(1, LOOP_LANE, 0, [0, RUNNING]);

  assert.equal(totalsOf([loop], { startNs: 50, endNs: 500 }, 80, 1000).loopNs[RUNNING], 30);
});
