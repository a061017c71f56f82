import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_RANGE_NS, MIN_RANGE_NS, Scale, clampRange } from "../../static/js/view/scale.js";

test("pixels turned into nanoseconds and back are the same pixels", () => {
  const scale = new Scale(1e15, 10e9, 120, 800);

  for (let px = 120; px <= 920; px += 37) {
    assert.ok(Math.abs(scale.toPx(scale.toNs(px)) - px) < 1e-3);
  }
});

test("the range is never less than a microsecond and never more than an hour", () => {
  assert.equal(clampRange(1), MIN_RANGE_NS);
  assert.equal(clampRange(1e18), MAX_RANGE_NS);
  assert.equal(clampRange(5e9), 5e9);
});

test("a scale snapped while the picture scrolls moves by whole columns only", () => {
  const [one, other] = [3.2e9, 3.9e9].map((start) => new Scale(start, 10e9, 0, 777).snapped(2));
  const moved = (other.startNs - one.startNs) / one.nsPerPx / 2;

  assert.ok(Math.abs(moved - Math.round(moved)) < 1e-6);
  assert.equal(one.nsPerPx, other.nsPerPx);
});
