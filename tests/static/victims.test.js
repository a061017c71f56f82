import assert from "node:assert/strict";
import { test } from "node:test";

import { drawHeld } from "../../static/js/draw/band.js";
import { History } from "../../static/js/model/history.js";
import { heldStretches, holdsByLoop } from "../../static/js/model/victims.js";
import { DUE, OUTSIDE, READY, RUNNING, WAITING } from "../../static/js/wire.js";
import { COLORS, frameOf, helloOf, recordingContext, spansOf, unitScale } from "./support.js";

const MS = 1e6;
const stall = (changes) => ({
  id: 1,
  loop: 1,
  start_ns: 100 * MS,
  duration_ms: 300,
  over: true,
  ...changes,
  victims: { lanes: changes.lanes ?? [7] },
});

/** A history that was told of these stalls, the first with a threshold of 100 ms. */
function told(...stalls) {
  const history = new History();
  history.begin(helloOf({}));
  history.apply(frameOf({ stalls }));
  return history;
}

const SIGHT = { startNs: 0, endNs: 1000 * MS };
const lane = (id, ...rows) => ({ id, spans: spansOf(...rows) });

test("a victim is striped from when it came or the stall began, while it could have run", () => {
  const holds = holdsByLoop(told(stall({})), SIGHT, 900 * MS).get(1);
  const late = lane(7, [200 * MS, OUTSIDE], [410 * MS, RUNNING]);
  const slept = lane(7, [50 * MS, WAITING], [250 * MS, DUE], [450 * MS, RUNNING]);
  const waited = lane(7, [50 * MS, READY], [401 * MS, RUNNING]);

  const found = [late, slept, waited].map((each) => heldStretches(each, holds, 900 * MS));

  assert.deepEqual(found, [
    [{ state: OUTSIDE, startNs: 200 * MS, endNs: 400 * MS }],
    [{ state: DUE, startNs: 250 * MS, endNs: 400 * MS }],
    [{ state: READY, startNs: 100 * MS, endNs: 400 * MS }],
  ]);
});

test("who is no victim, waits for something else or belongs to another loop is left plain", () => {
  const holds = holdsByLoop(told(stall({})), SIGHT, 900 * MS);

  assert.deepEqual(heldStretches(lane(8, [0, READY]), holds.get(1), 900 * MS), []);
  assert.deepEqual(heldStretches(lane(7, [0, WAITING]), holds.get(1), 900 * MS), []);
  assert.equal(holds.get(2), undefined);
});

test("an open stall grows with now, and a shorter one than the threshold is none", () => {
  const open = told(stall({ over: false, duration_ms: 150 }));
  const grown = heldStretches(lane(7, [0, READY]), holdsByLoop(open, SIGHT, 800 * MS).get(1), 800 * MS);
  assert.deepEqual(grown, [{ state: READY, startNs: 100 * MS, endNs: 800 * MS }]);

  const raised = told(stall({}));
  raised.apply(frameOf({ stall_threshold_ns: 500 * MS }));
  assert.equal(holdsByLoop(raised, SIGHT, 800 * MS).size, 0);
});

test("out of sight nothing is worked out, and a forgotten stall has no victims", () => {
  const history = told(stall({}));
  assert.equal(holdsByLoop(history, { startNs: 500 * MS, endNs: 900 * MS }, 900 * MS).size, 0);

  history.apply(frameOf({ stalls: Array.from({ length: 300 }, (_, k) => stall({ id: k + 2 })) }));
  assert.equal(history.victims.size, history.stalls.size);
});

test("the stripes cover the row for as long as it was held up, in sight only", () => {
  const ctx = recordingContext();
  const row = { topPx: 10, heightPx: 20 };
  const stretch = (startNs, endNs) => ({ state: READY, startNs, endNs });

  drawHeld(ctx, unitScale(100), [stretch(-50, 30), stretch(40, 41), stretch(90, 150)], row, COLORS);

  assert.deepEqual(ctx.rects, [
    { x: 0, y: 10, w: 30, h: 20, color: "ready" },
    { x: 90, y: 10, w: 10, h: 20, color: "ready" },
  ]);
});
