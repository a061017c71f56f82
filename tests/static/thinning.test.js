import assert from "node:assert/strict";
import { test } from "node:test";

import { Spans } from "../../static/js/model/columns.js";
import { KEEP_NS } from "../../static/js/model/history.js";
import { Lane, Lanes, MAX_LANES } from "../../static/js/model/lanes.js";
import { Pool } from "../../static/js/model/pool.js";
import { sumStates } from "../../static/js/model/totals.js";
import * as wire from "../../static/js/wire.js";
import { seeded } from "./support.js";

const STALL_NS = 100e6;
const MINUTE_NS = 60e9;
const always = () => true;

/** A loop that sleeps and runs, and rarely stalls. */
function busyLoop(count, random) {
  const spans = new Spans(new Pool(1));
  const stalls = [];
  let t = 0;
  for (let n = 0; n < count; n += 1) {
    spans.push(t, wire.IDLE, 0, 0);
    t += 1000 * Math.ceil(random() * 9000);
    spans.push(t, wire.RUNNING, n + 1, n);
    if (n % 701 === 700) stalls.push(t);
    t += n % 701 === 700 ? 150e6 : 1000 * Math.ceil(random() * 900);
  }
  spans.push(t, wire.IDLE, 0, 0);
  return { spans, stalls, endNs: t };
}

function sumsOf(spans, endNs) {
  const sums = new Float64Array(wire.STATES.length);
  sumStates(spans, 0, endNs, endNs, sums);
  return [...sums];
}

test("thinned again and again, a lane tells the same time per state", () => {
  const { spans, endNs } = busyLoop(5000, seeded(5));
  const before = sumsOf(spans, endNs);
  const counts = [spans.count];
  for (let k = 0; k < 4; k += 1) {
    spans.thin(always, STALL_NS);
    counts.push(spans.count);
    assert.deepEqual(sumsOf(spans, endNs), before);
  }
  counts.slice(1).forEach((count, k) => assert.ok(count < counts[k] * 0.6, counts.join(" ")));
});

test("a stall stays exactly as it was, with who and what, however often its neighbourhood is thinned", () => {
  const { spans, stalls } = busyLoop(5000, seeded(6));
  assert.equal(stalls.length, 7);
  for (let k = 0; k < 6; k += 1) spans.thin(always, STALL_NS);
  stalls.forEach((ns, k) => {
    const i = spans.indexAt(ns);
    const told = [spans.startNs(i), spans.endNs(i, Infinity), spans.state(i), spans.who(i), spans.info(i)];
    assert.deepEqual(told, [ns, ns + 150e6, wire.RUNNING, 701 * k + 700, 701 * k + 701]);
  });
});

test("what is merged looks like no run, says how many it is, and names nobody", () => {
  const { spans } = busyLoop(1000, seeded(7));
  const before = spans.count;
  spans.thin(always, STALL_NS);
  let slices = 0;
  for (let i = 0; i < spans.count; i += 1) {
    slices += spans.merged(i) || 1;
    if (!spans.merged(i)) continue;
    assert.deepEqual([spans.state(i), spans.info(i), spans.who(i)], [wire.IDLE, 0, 0]);
  }
  assert.equal(slices, before);
});

test("runs without a pause between them are merged too, and make no stall", () => {
  const spans = new Spans(new Pool(1));
  for (let n = 0; n < 1000; n += 1) spans.push(n * 5e6, wire.RUNNING, 0, 1);
  const before = sumsOf(spans, 5e9);
  for (let k = 0; k < 4; k += 1) spans.thin(always, STALL_NS);

  assert.ok(spans.count < 200, String(spans.count));
  assert.deepEqual(sumsOf(spans, 5e9), before);
  for (let i = 0; i < spans.count; i += 1) {
    const isLong = spans.endNs(i, 5e9) - spans.startNs(i) >= STALL_NS;
    assert.ok(!(isLong && spans.state(i) === wire.RUNNING));
  }
});

test("lost time is never merged away", () => {
  const { spans, endNs } = busyLoop(300, seeded(8));
  spans.push(endNs + 1, wire.LOST, 0, 0);
  spans.push(endNs + 2, wire.IDLE, 0, 0);
  for (let n = 0; n < 500; n += 1) spans.push(endNs + 3 + n * 1e6, n % 2 ? wire.IDLE : wire.RUNNING, 0, 0);
  for (let k = 0; k < 4; k += 1) spans.thin(always, STALL_NS);

  assert.equal(spans.state(spans.indexAt(endNs + 1)), wire.LOST);
});

/** So many minutes at a steady rate: a loop, tasks that tick, and requests of which every hundredth is slow. */
function longDay(minutes, perSecond) {
  const lanes = new Lanes();
  const blocks = lanes.pool.blocks;
  const tickers = Array.from({ length: 30 }, (_, k) => new Lane(k + 1, k ? wire.TASK_LANE : wire.LOOP_LANE, 1, "", 0, 0, lanes.pool));
  for (const lane of tickers) lanes.add(lane);
  const nowAt = (s) => ({ nowNs: s * 1e9, promisedNs: s * 1e9 - MINUTE_NS, stallNs: STALL_NS });
  let id = 100;
  for (let s = 1; s <= minutes * 60; s += 1) {
    lanes.know(nowAt(s));
    for (let k = 0; k < perSecond; k += 1) {
      const startNs = (s - 1) * 1e9 + k * 1e6;
      const lane = new Lane((id += 1), wire.REQUEST_LANE, 1, "", id, startNs, lanes.pool);
      lanes.add(lane);
      lane.enter(startNs, wire.RUNNING, 0, 0);
      lane.enter(startNs + (id % 100 ? 5e6 : 500e6), wire.GONE, 0, 0);
    }
    for (const lane of tickers) {
      for (let k = 0; k < 3; k += 1) {
        lane.enter((s - 1) * 1e9 + k * 300e6, wire.RUNNING, 0, 0);
        lane.enter((s - 1) * 1e9 + k * 300e6 + 1e6, wire.IDLE, 0, 0);
      }
    }
    if (s % 4 === 0) lanes.prune(s * 1e9 - KEEP_NS);
  }
  return { lanes, blocks, tickers, nowNs: minutes * MINUTE_NS };
}

test("after more than an hour as much room is taken as at first; the last minute is whole, an hour back is there", () => {
  const { lanes, blocks, tickers, nowNs } = longDay(80, 20);

  assert.equal(lanes.pool.blocks, blocks);
  assert.ok(lanes.merged > 0 && lanes.all.length <= MAX_LANES);
  assert.equal(lanes.dropped, 0);
  const requests = lanes.all.filter(({ kind }) => kind === wire.REQUEST_LANE);
  const since = (agoNs) => requests.filter(({ endNs }) => endNs > nowNs - agoNs);
  assert.equal(since(MINUTE_NS).length - since(0).length, 20 * 60, "each of the last minute");
  const early = requests.filter(({ startNs }) => startNs < nowNs - 50 * MINUTE_NS);
  const slow = early.filter((lane) => lane.endNs - lane.startNs > 400e6).length;
  assert.ok(early.length > 300 && early.length < 3000, `${early.length} of 12,000`);
  assert.ok(slow > 110, `${slow} of 120 that were slow: the longest stay`);
  for (const { spans } of tickers) {
    assert.ok(spans.startNs(0) < nowNs - 59 * MINUTE_NS);
    for (let i = spans.firstEndingAfter(nowNs - MINUTE_NS); i < spans.count; i += 1) assert.equal(spans.merged(i), 0);
  }
});

test("a rate at which not even a minute fits leaves some of the hour, and says what went early", () => {
  const { lanes, nowNs } = longDay(12, 150);
  const early = lanes.all.filter((lane) => lane.endNs < nowNs - 6 * MINUTE_NS);

  assert.ok(lanes.all.length <= MAX_LANES);
  assert.ok(early.length > 100, String(early.length));
  assert.ok(lanes.dropped > 0);
});

test("a request that goes takes its tasks with it", () => {
  const lanes = new Lanes();
  lanes.know({ nowNs: 3600e9, promisedNs: 3540e9, stallNs: STALL_NS });
  for (let k = 0; k < MAX_LANES; k += 1) {
    const isTask = k % 2 === 1;
    const lane = new Lane(k + 1, isTask ? wire.TASK_LANE : wire.REQUEST_LANE, 1, "", k >> 1, k * 1e6, lanes.pool);
    lanes.add(lane);
    lane.enter(k * 1e6, wire.RUNNING, 0, 0);
    lane.enter(k * 1e6 + 10, wire.GONE, 0, 0);
  }
  lanes.add(new Lane(MAX_LANES + 1, wire.LOOP_LANE, 1, "", 0, 0, lanes.pool));
  lanes.prune(0);

  assert.ok(lanes.all.length < MAX_LANES);
  const requests = new Set(lanes.all.filter(({ kind }) => kind === wire.REQUEST_LANE).map(({ request }) => request));
  const tasks = lanes.all.filter(({ kind }) => kind === wire.TASK_LANE);
  assert.ok(tasks.every(({ request }) => requests.has(request)));
  assert.equal(tasks.length, requests.size);
});
