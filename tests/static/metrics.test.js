import assert from "node:assert/strict";
import { test } from "node:test";

import { topOf } from "../../static/js/draw/strips.js";
import { Metrics, SAMPLE_NS, Samples } from "../../static/js/model/metrics.js";
import { Lane, Lanes } from "../../static/js/model/lanes.js";
import { IDLE, LOOP_LANE, LOST, RUNNING } from "../../static/js/wire.js";
import { Scale } from "../../static/js/view/scale.js";
import { frameOf } from "./support.js";

const loop = (changes = {}) => ({ id: 1, state: "idle", utilisation: 0.5, lag_ms: 1, ready: 0, ...changes });

test("a sample keeps the worst that was told in its tenth of a second", () => {
  const samples = new Samples();
  samples.add(10, loop({ lag_ms: 5, ready: 2 }), [10]);
  samples.add(40e6, loop({ lag_ms: 3, ready: 9 }), [30, 20]);
  samples.add(110e6, loop(), []);

  assert.equal(samples.count, 2);
  assert.deepEqual(["lag", "ready", "rate", "latency", "slow"].map((name) => samples.value(name, 0)), [5, 9, 30, 20, 30]);
  assert.ok(Number.isNaN(samples.value("latency", 1)));
});

test("of a time that nobody told there is no sample", () => {
  const samples = new Samples();
  samples.add(0, loop(), []);
  samples.add(10 * SAMPLE_NS, loop(), []);

  assert.equal(samples.indexAt(SAMPLE_NS / 2), 0);
  assert.equal(samples.indexAt(5 * SAMPLE_NS), -1);
  assert.equal(samples.indexAt(10.5 * SAMPLE_NS), 1);
  assert.equal(samples.indexAt(-1), -1);
  assert.deepEqual(samples.toldAt(10), { busy: 0.5, lag: 1 });
  assert.equal(samples.toldAt(5 * SAMPLE_NS), null);
});

test("samples are bounded: the oldest go, the others keep their times", () => {
  const samples = new Samples(1024);
  for (let k = 0; k < 5000; k += 1) samples.add(k * SAMPLE_NS, loop({ ready: k % 7 }), []);

  assert.ok(samples.count <= 1024 && samples.count > 800, String(samples.count));
  const last = samples.count - 1;
  assert.equal(samples.ns(last), 4999 * SAMPLE_NS);
  assert.equal(samples.value("ready", last), 4999 % 7);
  assert.equal(samples.ns(last - 500), 4499 * SAMPLE_NS);
});

test("loops are kept apart, with the requests that were theirs", () => {
  const metrics = new Metrics();
  const request = (id, total) => ({ loop: id, total_ms: total });
  metrics.add(frameOf({ t_ns: 5, loops: [loop(), loop({ id: 2 }), loop({ id: 3, state: "ended" })], requests: [request(1, 8), request(2, 4), request(2, 6)] }));

  assert.equal(metrics.of(1).value("rate", 0), 10);
  assert.equal(metrics.of(2).value("rate", 0), 20);
  assert.equal(metrics.of(3), null);
});

test("a strip reaches to the worst in sight, rounded up, and never below its least", () => {
  const samples = new Samples();
  samples.add(0, loop({ lag_ms: 1234 }), []);
  samples.add(60e9, loop({ lag_ms: 3 }), []);
  const strip = { name: "lag", least: 10 };

  assert.equal(topOf(samples, strip, new Scale(0, 10e9, 0, 100)), 2000);
  assert.equal(topOf(samples, strip, new Scale(55e9, 10e9, 0, 100)), 10);
});

test("who comes late is told how busy the loop was, and when requests ended, not that all ended now", () => {
  const lanes = new Lanes();
  const lane = new Lane(1, LOOP_LANE, 1, "loop", 0, 0);
  lanes.add(lane);
  // Half of each tenth of a second it runs; the last second is lost.
  for (let k = 0; k < 20; k += 1) {
    lane.enter(k * SAMPLE_NS, RUNNING, 0, 0);
    lane.enter((k + 0.5) * SAMPLE_NS, IDLE, 0, 0);
  }
  lane.enter(20 * SAMPLE_NS, LOST, 0, 0);
  const ended = [3, 3, 12].map((tenth) => ({ loop: 1, end_ns: (tenth + 0.2) * SAMPLE_NS, total_ms: tenth }));
  const metrics = new Metrics();
  metrics.recall(frameOf({ t_ns: 30 * SAMPLE_NS, loops: [loop()], requests: ended }), lanes);
  const samples = metrics.of(1);
  const at = (name, tenth) => samples.value(name, samples.indexAt((tenth + 0.5) * SAMPLE_NS));

  assert.equal(samples.count, 30);
  assert.deepEqual([3, 4, 12].map((tenth) => at("rate", tenth)), [20, 0, 10]);
  assert.deepEqual([0, 5, 19].map((tenth) => Number(at("busy", tenth).toFixed(6))), [0.5, 0.5, 0.5]);
  assert.ok(Number.isNaN(at("busy", 29)));
  assert.ok(Number.isNaN(at("lag", 3)));
});
