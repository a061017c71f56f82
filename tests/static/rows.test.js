import assert from "node:assert/strict";
import { test } from "node:test";

import { groupNames } from "../../static/js/draw/gutter.js";
import { Lane } from "../../static/js/model/lanes.js";
import { MIN_PITCH_PX, planRows, rowAt } from "../../static/js/view/rows.js";
import { Scale } from "../../static/js/view/scale.js";
import { LOOP_LANE, REQUEST_LANE, TASK_LANE, THREAD, THREAD_LANE, WAITING } from "../../static/js/wire.js";

const SIZES = { axisPx: 30, loopPx: 40, pitchPx: 26, threadPx: 20, columnPx: 2 };
const VIEW = { heightPx: 500, scrollPx: Infinity, showsTasks: false, folds: false, isTall: () => false };
const SCALE = new Scale(0, 1000, 100, 900);

let nextId = 0;

function lane(kind, startNs, endNs = Infinity, label = "GET /slow") {
  const made = new Lane((nextId += 1), kind, 1, label, kind === REQUEST_LANE ? nextId : 0, startNs);
  made.enter(startNs, kind === THREAD_LANE ? THREAD : WAITING, 0, 0);
  if (endNs !== Infinity) made.enter(endNs, 0, 0, 0);
  return made;
}

function crowd(count) {
  return Array.from({ length: count }, (_, i) => lane(REQUEST_LANE, i));
}

test("the loop is on top, then requests as they began, then threads", () => {
  const lanes = [lane(LOOP_LANE, 0), lane(THREAD_LANE, 1), lane(REQUEST_LANE, 2), lane(REQUEST_LANE, 3)];
  const plan = planRows(lanes, SCALE, VIEW, SIZES);

  assert.deepEqual(plan.pinned.map((row) => row.lane), [lanes[0]]);
  assert.deepEqual(plan.rows.map((row) => row.lane), [lanes[2], lanes[3], lanes[1]]);
});

test("tasks of no request are counted, and shown only when asked for", () => {
  const lanes = [lane(TASK_LANE, 0), lane(REQUEST_LANE, 1)];

  assert.equal(planRows(lanes, SCALE, VIEW, SIZES).hiddenTasks, 1);
  assert.equal(planRows(lanes, SCALE, { ...VIEW, showsTasks: true }, SIZES).rows.length, 2);
});

test("lanes that lie outside the picture take no row", () => {
  const scale = new Scale(500, 100, 100, 900);
  const lanes = [lane(REQUEST_LANE, 0, 499), lane(REQUEST_LANE, 601), lane(REQUEST_LANE, 550)];

  assert.deepEqual(planRows(lanes, scale, VIEW, SIZES).rows.map((row) => row.lane), [lanes[2]]);
});

test("rows shrink until all fit, and scroll when they cannot shrink any more", () => {
  const few = planRows(crowd(5), SCALE, VIEW, SIZES);
  const many = planRows(crowd(100), SCALE, VIEW, SIZES);
  const toomany = planRows(crowd(1000), SCALE, VIEW, SIZES);

  assert.equal(few.rows[0].pitchPx, SIZES.pitchPx);
  assert.equal(many.overflowPx, 0);
  assert.equal(many.rows.length, 100);
  assert.equal(toomany.rows[0].pitchPx, MIN_PITCH_PX);
  assert.ok(toomany.overflowPx > 0);
  assert.ok(toomany.rows.length < 250, "only rows in sight are planned");
});

test("rows in sight neither overlap nor leave a hole", () => {
  const { rows } = planRows(crowd(77), SCALE, VIEW, SIZES);

  for (let i = 1; i < rows.length; i += 1) {
    assert.ok(rows[i].topPx >= rows[i - 1].topPx + rows[i - 1].heightPx);
    assert.ok(rows[i].topPx - rows[i - 1].topPx <= rows[i - 1].pitchPx + 1);
  }
});

test("a culprit among a hundred victims keeps a row in which its name fits", () => {
  const lanes = crowd(100);
  const view = { ...VIEW, isTall: (each) => each === lanes[40] };
  const plan = planRows(lanes, SCALE, view, SIZES);

  assert.equal(plan.rows[40].pitchPx, SIZES.pitchPx);
  assert.ok(plan.rows[41].pitchPx < 10);
});

test("a lane that leaves on the left folds up instead of vanishing at once", () => {
  const lanes = [lane(REQUEST_LANE, 0, 20), lane(REQUEST_LANE, 1)];
  const scale = new Scale(0, 1000, 0, 900);
  const [leaving, staying] = planRows(lanes, scale, { ...VIEW, folds: true }, SIZES).rows;

  assert.ok(leaving.pitchPx > 0 && leaving.pitchPx < staying.pitchPx);
});

test("a pointer finds the row that is drawn under it", () => {
  const lanes = [lane(LOOP_LANE, 0), ...crowd(3)];
  const plan = planRows(lanes, SCALE, VIEW, SIZES);

  for (const row of [...plan.pinned, ...plan.rows]) assert.equal(rowAt(plan, row.topPx + 1), row);
  assert.equal(rowAt(plan, 499), null);
});

test("low rows of one route share a name, tall ones keep their own", () => {
  const lanes = [lane(REQUEST_LANE, 0), lane(REQUEST_LANE, 1), lane(REQUEST_LANE, 2, Infinity, "GET /fast")];
  const rowsOf = (pitchPx) =>
    lanes.map((each, i) => ({ lane: each, topPx: i * pitchPx, heightPx: pitchPx - 1, pitchPx }));

  assert.deepEqual(groupNames(rowsOf(5), 14).map(({ text }) => text), [
    "2 × /slow",
    `#${lanes[2].request} /fast`,
  ]);
  assert.equal(groupNames(rowsOf(20), 14).length, 3);
});
