import assert from "node:assert/strict";
import { test } from "node:test";

import { markPath, wordsOf } from "../../static/js/draw/throughput.js";
import { decades, linear, logarithmic, roundTicks, spread } from "../../static/js/view/axis-scale.js";

const POINT = { users: 10, rps: 123.4, p50_ms: 100, p95_ms: 2000, p99_ms: null, failures: 0, generator_limited: false };

test("a value lies where its share of the range says", () => {
  assert.equal(linear(0, 10, 100, 0)(5), 50);
  assert.ok(Math.abs(logarithmic(1, 100, 0, 2)(10) - 1) < 1e-9);
});

test("ticks are round, from 0, and reach the highest value at most", () => {
  assert.deepEqual(roundTicks(100, 5), [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(roundTicks(9, 4), [0, 2.5, 5, 7.5]);
  for (const highest of [0.003, 1, 7, 60, 1234, 5e6]) {
    const ticks = roundTicks(highest, 5);
    assert.ok(ticks.length >= 3 && ticks.length <= 6, String(highest));
    assert.ok(ticks.at(-1) <= highest * 1.000001);
  }
});

test("decades go around a range, at least one apart", () => {
  assert.deepEqual(decades(0.3, 45), [0.1, 1, 10, 100]);
  assert.deepEqual(decades(10, 10), [10, 100]);
});

test("labels keep their distance and stay above the bottom", () => {
  assert.deepEqual(spread([10, 12, 50], 15, 100), [10, 25, 50]);
  assert.deepEqual(spread([95, 96, 20], 15, 100), [85, 100, 20]);
  assert.deepEqual(spread([], 15, 100), []);
});

test("each line has a mark of its own, and the fifth begins anew", () => {
  const marks = [0, 1, 2, 3].map((number) => markPath(number, 5, 5, 4));

  assert.equal(new Set(marks).size, 4);
  assert.equal(markPath(4, 5, 5, 4), marks[0]);
});

test("a point in words names what is known, and the generator where it was the limit", () => {
  assert.equal(wordsOf(POINT).replaceAll("\u00a0", " "), "10 users: 123 requests a second, p50 100 ms, p95 2.00 s");
  const limited = wordsOf({ ...POINT, failures: 3, generator_limited: true });
  assert.match(limited, /3 failed, the generator was the limit$/);
});
