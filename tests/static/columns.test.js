import assert from "node:assert/strict";
import { test } from "node:test";

import { Spans } from "../../static/js/model/columns.js";
import { BLOCK, Pool } from "../../static/js/model/pool.js";
import { Sums } from "../../static/js/model/sums.js";
import { IDLE, READY, RUNNING, WAITING } from "../../static/js/wire.js";
import { seeded, spansOf } from "./support.js";

test("a span ends where the next one begins, and the last one now", () => {
  const spans = spansOf([10, READY], [20, RUNNING]);

  assert.equal(spans.endNs(0, 99), 20);
  assert.equal(spans.endNs(1, 99), 99);
});

test("a row at the time of the open span corrects that span", () => {
  const spans = spansOf([10, WAITING], [10, READY]);

  assert.equal(spans.count, 1);
  assert.equal(spans.state(0), READY);
});

test("a row that comes before the open span is refused, with both times", () => {
  const spans = spansOf([10, WAITING]);

  assert.throws(() => spans.push(9, READY, 0, 0), /at 9 ns comes after one at 10 ns/);
});

test("lanes share a pool and keep their spans apart, in order, however it is used before", () => {
  const pool = new Pool(4);
  const [one, two] = [new Spans(pool), new Spans(pool)];
  for (let t = 0; t < 3 * BLOCK; t += 1) one.push(t, RUNNING, t, 0);
  one.dropBefore(2 * BLOCK + 5);
  for (let t = 0; t < 5 * BLOCK; t += 1) two.push(t, IDLE, t, 0);

  assert.equal(one.count, BLOCK - 5);
  assert.equal(two.count, 5 * BLOCK);
  for (let i = 0; i < one.count; i += 1) assert.deepEqual([one.startNs(i), one.state(i)], [2 * BLOCK + 5 + i, RUNNING]);
  for (let i = 0; i < two.count; i += 1) assert.deepEqual([two.startNs(i), two.state(i)], [i, IDLE]);
});

test("a pool asks for room before it grows, and what is given back is lent again", () => {
  const asked = [];
  const pool = new Pool(2, () => asked.push(old.clear()));
  const [old, young] = [new Spans(pool), new Spans(pool)];
  for (let t = 0; t < 2 * BLOCK; t += 1) old.push(t, RUNNING, 0, 0);
  for (let t = 0; t < 2 * BLOCK; t += 1) young.push(t, IDLE, 0, 0);
  assert.deepEqual([asked.length, pool.blocks, old.count], [1, 2, 0]);

  young.push(2 * BLOCK, RUNNING, 0, 0);
  assert.deepEqual([asked.length, pool.blocks, young.count], [2, 4, 2 * BLOCK + 1], "nobody gave anything");
});

test("bisection finds the same span as a walk, before, in and after all of them", () => {
  const random = seeded(7);
  const spans = new Spans();
  let t = 0;
  for (let i = 0; i < 500; i += 1) spans.push((t += 1 + Math.floor(random() * 9)), RUNNING, 0, 0);
  const walk = (ns) => {
    for (let i = 0; i < spans.count; i += 1) if (spans.endNs(i, Infinity) > ns) return i;
    return spans.count - 1;
  };

  for (let ns = -5; ns < t + 5; ns += 3) assert.equal(spans.firstEndingAfter(ns), walk(ns));
});

test("what ended before the kept time is dropped, the span that holds it stays", () => {
  const spans = spansOf([0, IDLE], [10, RUNNING], [20, IDLE], [30, RUNNING]);
  spans.dropBefore(25);

  assert.equal(spans.count, 2);
  assert.equal(spans.startNs(0), 20);
});

test("what is gathered from blocks equals a walk over their spans, after dropping and thinning", () => {
  const random = seeded(11);
  const spans = new Spans(new Pool(2));
  let t = 0;
  let checked = 0;
  for (let n = 0; n < 40 * BLOCK; n += 1) {
    spans.push((t += 1 + Math.floor(random() * 50) * 1000), 1 + Math.floor(random() * 5), 0, 0);
    if (n % 300 === 299) spans.dropBefore(t - 9e6);
    if (n % 500 === 499) spans.thin((startNs) => startNs < t - 4e6, 48_000);
    if (n % 17) continue;
    const from = Math.floor(random() * spans.count);
    const endNs = t - Math.floor(random() * 4e5);
    const [gathered, walked] = [new Sums(), new Sums()];
    const beyond = spans.gather(from, Infinity, endNs, gathered);
    for (let k = from; k < beyond; k += 1) {
      const at = spans.slot(k);
      walked.add(spans.pool.states[at], spans.endNs(k, t) - spans.startNs(k), spans.pool.whos[at]);
    }
    assert.deepEqual(gathered, walked);
    // As many as end by then, and never the open one.
    assert.ok(beyond === spans.count - 1 || beyond === from || spans.endNs(beyond - 1, t) <= endNs);
    if (beyond < spans.count - 1) assert.ok(spans.endNs(beyond, t) > endNs);
    if (beyond - from > 2 * BLOCK) checked += 1;
  }
  assert.ok(checked > 10);
});
