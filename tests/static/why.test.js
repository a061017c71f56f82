import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../static/js/model/history.js";
import { whyNotRunning } from "../../static/js/model/why.js";
import * as wire from "../../static/js/wire.js";
import { frameOf, helloOf } from "./support.js";

const STRINGS = ["", "the loop", "GET /slow", "GET /blocking", "blocking\tbasics.py:38 in blocking", "callback", "thread 1"];
const MS = 1e6;

/** @param {[number, number, number, number?, number?][]} rows lane, ms, state, info, who */
function historyOf(...rows) {
  const history = new History();
  const lanes = [
    [1, wire.LOOP_LANE, 1, 1, 0, 0],
    [2, wire.REQUEST_LANE, 1, 2, 7, 0],
    [3, wire.REQUEST_LANE, 1, 3, 9, 0],
    [4, wire.THREAD_LANE, 1, 6, 0, 0],
  ];
  history.begin(helloOf({ snapshot: frameOf({ strings: STRINGS, lanes }) }));
  for (const [lane, ms, state, info = 0, who = 0] of rows) history.lanes.get(lane).enter(ms * MS, state, info, who);
  return history;
}

const why = (history, lane, ms, nowMs = ms) => {
  const found = history.lanes.get(lane);
  return whyNotRunning(history, found, found.spans.indexAt(ms * MS), nowMs * MS).replace(/\u00a0/g, " ");
};

test("who is ready but does not run is told who runs instead, where, and for how long", () => {
  const history = historyOf([1, 0, wire.IDLE], [1, 10, wire.RUNNING, 4, 9], [2, 20, wire.DUE], [3, 10, wire.RUNNING]);

  assert.equal(why(history, 2, 510), "The loop ran #9 /blocking at basics.py:38 in blocking instead, for 500 ms");
});

test("of several that went first the longest is named", () => {
  const history = historyOf(
    [2, 0, wire.READY],
    [1, 0, wire.RUNNING, 5], [1, 1, wire.RUNNING, 4, 9], [1, 31, wire.RUNNING, 5], [1, 32, wire.RUNNING, 2, 7],
    [2, 32, wire.RUNNING],
  );

  assert.equal(why(history, 2, 16, 40), "3 other steps went first, the longest #9 /blocking at basics.py:38 in blocking, 30.0 ms");
});

test("a wait leaves the loop to others; a queue for a thread says how many are at work", () => {
  const history = historyOf([1, 0, wire.IDLE], [2, 0, wire.WAITING], [3, 5, wire.THREAD_QUEUE], [4, 1, wire.THREAD]);

  assert.equal(why(history, 2, 10), "Meanwhile the loop is free for others");
  assert.equal(why(history, 3, 10), "No thread is free: 1 thread at work");
});

test("what runs needs no reason", () => {
  assert.equal(why(historyOf([2, 0, wire.RUNNING]), 2, 10), "");
});
