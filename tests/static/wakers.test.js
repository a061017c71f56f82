import assert from "node:assert/strict";
import { test } from "node:test";

import { drawWake } from "../../static/js/draw/wake.js";
import { Lane } from "../../static/js/model/lanes.js";
import { wakeOf } from "../../static/js/model/wakers.js";
import { whereabouts } from "../../static/js/model/whereabouts.js";
import { LOOP_LANE, READY, REQUEST_LANE, RUNNING, WAITING } from "../../static/js/wire.js";
import { unitScale } from "./support.js";

const STRINGS = ["", "timer", "task\tset_result", "lock\tapp.py:3 in pay"];
const text = (i) => STRINGS[i];

/** @param {[number, number, number?, number?][]} rows ns, state, info, who */
function laneOf(id, kind, ...rows) {
  const lane = new Lane(id, kind, 1, "", id, rows[0][0]);
  for (const [ns, state, info = 0, who = 0] of rows) lane.enter(ns, state, info, who);
  return lane;
}

test("a step was made possible by the wake before it, a wait's end by whom it waits for", () => {
  const lane = laneOf(2, REQUEST_LANE, [0, WAITING, 3, 9], [50, READY, 2, 7], [60, RUNNING], [70, WAITING], [90, READY, 1]);

  assert.deepEqual(wakeOf(lane, 2, text, 100), { ns: 50, lane: 7, words: "a task (set_result)", isWait: false });
  assert.deepEqual(wakeOf(lane, 4, text, 100), { ns: 90, lane: 0, words: "a timer", isWait: false });
  assert.deepEqual(wakeOf(lane, 0, text, 100), { ns: 50, lane: 9, words: "", isWait: true });
});

test("a wake of which nothing was told is none", () => {
  const lane = laneOf(2, REQUEST_LANE, [0, READY], [10, RUNNING]);

  assert.equal(wakeOf(lane, 1, text, 20), null);
  assert.equal(wakeOf(lane, -1, text, 20), null);
});

function context() {
  const lines = [];
  const texts = [];
  const none = () => {};
  return {
    lines, texts, setLineDash: none, beginPath: none, stroke: none, fill: none, fillRect: none,
    moveTo: (x, y) => lines.push(["from", x, y]),
    lineTo: (x, y) => lines.push(["to", x, y]),
    measureText: (words) => ({ width: words.length }),
    fillText: (words) => texts.push(words),
  };
}

test("the arrow goes from the waker's row to the woken one, or from the loop with the word", () => {
  const loop = laneOf(1, LOOP_LANE, [0, RUNNING]);
  const [waker, woken] = [laneOf(2, REQUEST_LANE, [0, RUNNING]), laneOf(3, REQUEST_LANE, [0, WAITING])];
  const row = (lane, topPx) => ({ lane, topPx, heightPx: 20, pitchPx: 26, depth: 0, bunch: null });
  const plan = { pinned: [row(loop, 0)], rows: [row(waker, 100), row(woken, 200)] };
  const byTask = context();
  drawWake(byTask, unitScale(500), plan, woken, { ns: 40, lane: 2, words: "a task", isWait: false }, {});
  const byTimer = context();
  drawWake(byTimer, unitScale(500), plan, woken, { ns: 40, lane: 0, words: "a timer", isWait: false }, {});

  assert.deepEqual(byTask.lines[0], ["from", 40.5, 110]);
  assert.deepEqual(byTask.lines[2], ["from", 40.5, 200], "the tip touches the row");
  assert.deepEqual(byTask.texts, []);
  assert.deepEqual(byTimer.lines[0], ["from", 40.5, 10]);
  assert.deepEqual(byTimer.texts, ["a timer"]);
});

test("the callback that passed a wake on is not taken for a line of code", () => {
  const lane = laneOf(2, REQUEST_LANE, [0, WAITING, 3], [50, READY, 2], [60, RUNNING]);

  assert.deepEqual(whereabouts(lane, text, 55).place, "app.py:3 in pay");
});
