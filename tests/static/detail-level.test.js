import assert from "node:assert/strict";
import { test } from "node:test";

import { LOOP_TICKS, resolve } from "../../static/js/draw/detail-level.js";
import { Spans } from "../../static/js/model/columns.js";
import { BLOCKED, GONE, IDLE, READY, RUNNING, THREAD, WAITING } from "../../static/js/wire.js";
import { recordingPen, seeded, spansOf, unitScale } from "./support.js";

const STALL_NS = 100e6;
const LOOP_LOOK = { columnPx: 1, leastPx: 1, ticks: LOOP_TICKS };

test("a slice at least a pixel wide is itself", () => {
  const pen = recordingPen();
  resolve(spansOf([2, RUNNING], [5, WAITING]), unitScale(10), 9, 1e9, pen);

  assert.deepEqual(pen.slices, [
    { state: RUNNING, leftPx: 2, rightPx: 5, i: 0 },
    { state: WAITING, leftPx: 5, rightPx: 9, i: 1 },
  ]);
});

test("a 200 ms stall never vanishes, whatever the zoom and however much else is there", () => {
  const spans = new Spans();
  let t = 0;
  const random = seeded(3);
  for (let i = 0; i < 30000; i += 1) {
    spans.push((t += 1e5), RUNNING, 0, 0);
    spans.push((t += i === 17003 ? 200e6 : 2e4 + random() * 1e5), IDLE, 0, 0);
  }
  for (const nsPerPx of [1e6, 1e7, 1e8, 1e9, 4e9]) {
    const pen = recordingPen();
    resolve(spans, unitScale(Math.ceil(t / nsPerPx) + 1, nsPerPx), t, STALL_NS, pen);
    const stalls = [...pen.slices, ...pen.columns].filter(({ state }) => state === BLOCKED);
    assert.equal(stalls.length, 1, `at ${nsPerPx} ns a pixel`);
  }
});

test("work is bounded by pixels: a hundred thousand slices become no more rectangles than pixels", () => {
  const spans = new Spans();
  for (let i = 0; i < 100000; i += 1) spans.push(i * 1000, i % 2 ? RUNNING : IDLE, 0, 0);
  const pen = recordingPen();
  resolve(spans, unitScale(800, 125000), 1e8, STALL_NS, pen);

  assert.ok(pen.columns.length + pen.slices.length <= 801);
});

test("a slice thinner than a pixel between wide ones is still drawn", () => {
  const pen = recordingPen();
  resolve(spansOf([0, WAITING], [5, THREAD], [5.1, WAITING]), unitScale(10), 10, 1e9, pen);

  assert.deepEqual(pen.columns, [{ state: THREAD, leftPx: 5, tick: 0 }]);
});

test("a lonely short run on the loop is a tick on idle ground, taller for a request", () => {
  const [own, served] = [0, 7].map((who) => {
    const pen = recordingPen();
    const spans = spansOf([0, IDLE], [5, RUNNING, who], [5.1, IDLE]);
    resolve(spans, unitScale(10), 10, 1e9, pen, LOOP_LOOK);
    return pen.columns;
  });

  assert.deepEqual(own, [{ state: IDLE, leftPx: 5, tick: LOOP_TICKS.own }]);
  assert.deepEqual(served, [{ state: IDLE, leftPx: 5, tick: LOOP_TICKS.served }]);
});

test("the tick of a busy pixel is as high as the share that ran", () => {
  const pen = recordingPen();
  const spans = spansOf([0, IDLE], [3, RUNNING], [3.4, IDLE], [3.5, RUNNING], [3.9, IDLE]);
  resolve(spans, unitScale(10), 10, 1e9, pen, LOOP_LOOK);

  assert.equal(pen.columns.length, 1);
  assert.ok(Math.abs(pen.columns[0].tick - 0.8) < 1e-9);
});

test("the ground of a crowded pixel is the state that took most of it", () => {
  const pen = recordingPen();
  resolve(spansOf([2, READY], [2.2, WAITING], [2.9, GONE]), unitScale(10), 10, 1e9, pen);

  assert.deepEqual(pen.columns, [{ state: WAITING, leftPx: 2, tick: 0 }]);
});

test("nothing is drawn after a lane is gone", () => {
  const pen = recordingPen();
  resolve(spansOf([2, RUNNING], [4, GONE]), unitScale(10), 10, 1e9, pen);

  assert.deepEqual(pen.slices.map(({ rightPx }) => rightPx), [4]);
  assert.equal(pen.columns.length, 0);
});

test("an open run becomes a stall while it grows", () => {
  const states = [99e6, 100e6].map((now) => {
    const pen = recordingPen();
    resolve(spansOf([0, RUNNING]), unitScale(200, 1e6), now, STALL_NS, pen);
    return pen.slices[0].state;
  });

  assert.deepEqual(states, [RUNNING, BLOCKED]);
});

test("slices drawn never overlap and never leave the scale", () => {
  const random = seeded(5);
  const spans = new Spans();
  let t = -50;
  while (t < 400) spans.push((t += random() < 0.5 ? random() * 0.3 : random() * 8), 1 + Math.floor(random() * 9), 0, 0);
  const pen = recordingPen();
  resolve(spans, unitScale(300), 290, 1e9, pen);
  const drawn = [
    ...pen.slices,
    ...pen.columns.map(({ leftPx }) => ({ leftPx, rightPx: leftPx + 1 })),
  ];

  for (const { leftPx, rightPx } of drawn) assert.ok(leftPx >= 0 && rightPx <= 300 && leftPx < rightPx);
});

test("spans that were merged with age look like the crowd they were, however near one looks", () => {
  const spans = new Spans();
  for (let n = 0; n < 200; n += 1) spans.push(n * 1e5, n % 2 ? RUNNING : IDLE, 0, 0);
  spans.thin(() => true, STALL_NS);
  const pen = recordingPen();
  resolve(spans, unitScale(20000, 1000), 2e7, STALL_NS, pen, LOOP_LOOK);
  const merged = pen.columns.filter(({ tick }) => tick > 0);

  assert.ok(merged.length >= 2, String(merged.length));
  for (const { state } of merged) assert.equal(state, IDLE);
  assert.ok(pen.slices.every(({ i }) => !spans.merged(i)));
});
