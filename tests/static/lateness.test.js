import assert from "node:assert/strict";
import { test } from "node:test";

import { Lateness } from "../../static/js/view/lateness.js";

const FRAME_MS = 33;
/** Frames made from `fromMs` on that all arrive at once, when the last one is made. */
function bunch(lateness, fromMs, count, isAwake = true) {
  const atMs = fromMs + (count - 1) * FRAME_MS;
  if (isAwake) lateness.beat(5000 + atMs - 90);
  for (let i = 0; i < count; i += 1) lateness.tell((fromMs + i * FRAME_MS) * 1e6, 5000 + atMs);
  return 5000 + atMs;
}

test("frames that come as they are made are not late, however the clocks drift", () => {
  const lateness = new Lateness();
  let nowMs = 0;
  for (let tMs = 0; tMs < 4 * 3600e3; tMs += 997) {
    nowMs = 5000 + tMs * (1 + 100e-6) + (tMs % 300);
    lateness.tell(tMs * 1e6, nowMs);
    assert.equal(lateness.ms(nowMs), 0);
  }
});

test("bunches that come again and again are told with how late they are", () => {
  const lateness = new Lateness();
  let nowMs = 0;
  const told = [0, 1, 2, 3, 4].map((i) => {
    nowMs = bunch(lateness, i * 40 * FRAME_MS, 40);
    return Math.round(lateness.ms(nowMs));
  });

  // By the first one it is learnt how quick a frame can be.
  assert.deepEqual(told, [0, 0, 0, 39 * FRAME_MS, 39 * FRAME_MS]);
  assert.equal(lateness.ms(nowMs + 30_000), 0);
});

test("one hiccup, or a page that stood still, is no habit", () => {
  const lateness = new Lateness();
  lateness.tell(0, 5000);
  const nowMs = bunch(lateness, 1000, 300);

  assert.equal(lateness.ms(nowMs), 0);
});

test("a page or a dashboard that cannot run makes no bunches", () => {
  const [page, dashboard] = [new Lateness(), new Lateness()];
  let nowMs = 0;
  page.tell(0, 5000);
  dashboard.tell(0, 5000);
  for (let i = 1; i < 9; i += 1) {
    nowMs = bunch(page, i * 2000, 40, false);
    dashboard.beat(nowMs);
    for (let frame = 0; frame < 3; frame += 1) dashboard.tell((nowMs - 6500 + frame) * 1e6, nowMs);
  }

  assert.equal(page.ms(nowMs), 0);
  assert.equal(dashboard.ms(nowMs), 0);
});

test("another run of the dashboard begins anew", () => {
  const lateness = new Lateness();
  lateness.tell(1e15, 5000);
  lateness.restart();
  for (let i = 0; i < 100; i += 1) lateness.tell(i * 1e9, 6000 + i * 1000);

  assert.equal(lateness.ms(106_000), 0);
});
