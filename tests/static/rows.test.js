import assert from "node:assert/strict";
import { test } from "node:test";

import { drawGutter, namesOf } from "../../static/js/draw/gutter.js";
import { Lane } from "../../static/js/model/lanes.js";
import { EVERYTHING } from "../../static/js/view/order.js";
import { MIN_PITCH_PX, planRows, rowAt } from "../../static/js/view/rows.js";
import { Scale } from "../../static/js/view/scale.js";
import { LOOP_LANE, REQUEST_LANE, TASK_LANE, THREAD, THREAD_LANE, WAITING } from "../../static/js/wire.js";

const SIZES = { axisPx: 30, loopPx: 40, pitchPx: 26, threadPx: 20, columnPx: 2, textPx: 13 };
const VIEW = { heightPx: 500, scrollPx: Infinity, folds: false, nowNs: 1000, isTall: () => false };
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
  assert.equal(planRows(lanes, SCALE, { ...VIEW, wanted: { ...EVERYTHING, showsTasks: true } }, SIZES).rows.length, 2);
});

test("threads and tasks take the room that requests leave", () => {
  const threads = Array.from({ length: 20 }, (_, i) => lane(THREAD_LANE, i));
  const pitchOf = (requests) => planRows([...crowd(requests), ...threads], SCALE, VIEW, SIZES).rows.at(-1).pitchPx;

  assert.equal(pitchOf(0), SIZES.threadPx);
  assert.ok(pitchOf(0) > pitchOf(10) && pitchOf(10) > pitchOf(60), "requests come first");
  assert.equal(pitchOf(60), pitchOf(90), "a share is always theirs");
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

test("what lives, and the newest, keeps its height when a hundred that are over do not fit", () => {
  const over = Array.from({ length: 100 }, (_, i) => lane(REQUEST_LANE, i, 200 + i));
  const lanes = [...over, lane(REQUEST_LANE, 900)];
  const plan = planRows(lanes, SCALE, { ...VIEW, heightPx: 240 }, SIZES);
  const last = plan.rows.at(-1);

  assert.equal(last.lane, lanes[100]);
  assert.equal(last.pitchPx, SIZES.pitchPx);
  assert.ok(last.topPx + last.heightPx <= 240, "it is in sight");
});

test("what is just over shrinks step by step, never in a jump", () => {
  const lanes = [...crowd(60), lane(REQUEST_LANE, 100, 500)];
  const pitchAt = (nowNs) => {
    const scale = new Scale(nowNs - 1000, 1000, 100, 900);
    return planRows(lanes, scale, { ...VIEW, nowNs }, SIZES).rows.at(-1).pitchPx;
  };
  for (let nowNs = 500; nowNs < 600; nowNs += 1) assert.ok(Math.abs(pitchAt(nowNs + 1) - pitchAt(nowNs)) < 1);
});

test("low rows of one route share a name that counts those out of sight, tall ones keep their own", () => {
  const low = planRows(crowd(300), SCALE, VIEW, SIZES);
  const tall = planRows(crowd(3), SCALE, VIEW, SIZES);

  assert.ok(low.rows.length < 300);
  assert.deepEqual(namesOf(low.rows).map(({ text }) => text), ["300 × /slow"]);
  assert.equal(namesOf(tall.rows).length, 3);
});

test("words as large as a presenter's need taller rows for a name of their own", () => {
  const namesAt = (textPx) => namesOf(planRows(crowd(27), SCALE, VIEW, { ...SIZES, textPx }).rows).length;

  assert.deepEqual([13, 20].map(namesAt), [27, 1]);
});

test("of several loops the pid is never cut: it has a line of its own, or the name makes way for it", () => {
  const lanes = [4711, 12345].map((pid) => lane(LOOP_LANE, 0, Infinity, `a shop with a long name · ${pid}`));
  const told = (heightPx) => {
    const words = [];
    const ctx = { measureText: (text) => ({ width: text.length * 7 }), fillText: (text) => words.push(text) };
    const rows = lanes.map((each, i) => ({ lane: each, topPx: i * heightPx, heightPx, pitchPx: heightPx, depth: 0, bunch: null }));
    const marks = { selected: null, foldOf: () => "", pins: new Set() };
    drawGutter(ctx, rows, { gutterPx: 132, smallFont: "13px x", boldFont: "bold 13px x" }, marks);
    return words;
  };

  assert.deepEqual(told(40), ["a shop with a l…", "pid 4711", "a shop with a l…", "pid 12345"]);
  assert.deepEqual(told(20), ["a shop w… · 4711", "a shop … · 12345"]);
});

test("another route begins another bunch", () => {
  const lanes = [...crowd(150), lane(REQUEST_LANE, 200, Infinity, "GET /fast")];
  const names = namesOf(planRows(lanes, SCALE, VIEW, SIZES).rows).map(({ text }) => text);

  assert.deepEqual(names, ["150 × /slow", `#${lanes[150].request} /fast`]);
});

test("pins stand under the loop and take at most their share, also when out of sight in time", () => {
  const gone = lane(REQUEST_LANE, -500, -400);
  const lanes = [gone, lane(LOOP_LANE, 0), ...crowd(40)];
  const pins = new Set([gone.id, ...lanes.slice(2, 30).map(({ id }) => id)]);
  const plan = planRows(lanes, SCALE, { ...VIEW, wanted: { ...EVERYTHING, pins } }, SIZES);

  assert.deepEqual(plan.pinned.slice(0, 2).map((row) => row.lane), [lanes[1], gone]);
  assert.ok(plan.topPx <= SIZES.axisPx + (VIEW.heightPx - SIZES.axisPx) * 0.4 + 1);
  assert.ok(!plan.rows.some((row) => pins.has(row.lane.id)), "no lane has two rows");
});

test("every row that is in sight is where its place says", () => {
  const plan = planRows(crowd(400), SCALE, { ...VIEW, scrollPx: 100 }, SIZES);

  assert.equal(plan.order.length, 400);
  for (const row of plan.rows) {
    const { topPx } = plan.placeOf(row.lane);
    assert.ok(Math.abs(plan.topPx + topPx - plan.scrollPx - row.topPx) <= 0.5);
  }
});
