import assert from "node:assert/strict";
import { test } from "node:test";

import { drawPhases } from "../../static/js/draw/phases.js";
import { Lane } from "../../static/js/model/lanes.js";
import { Requests, splitInWords, splitWithin } from "../../static/js/model/requests.js";
import { phasesInWords, phasesWithin, pieces } from "../../static/js/model/phases.js";
import { Scale } from "../../static/js/view/scale.js";
import * as wire from "../../static/js/wire.js";

const MS = 1e6;
const phase = (name, from, to, count = 1) => ({ name, function: `shop.${name}`, start_ns: from * MS, end_ns: to * MS, count });
const FOUR = [
  phase("dependencies", 0, 12), phase("endpoint", 12, 313), phase("serialization", 320, 360),
  phase("background_task", 360, 1360), phase("background_task", 1360, 1560, 2),
];

test("phases are told in words, those of one kind as one", () => {
  const words = phasesInWords(FOUR).replaceAll("\u00a0", " ");

  assert.equal(words, "dependencies 12.0 ms · endpoint 301 ms · serialization 40.0 ms · background 1.20 s (3 times)");
  assert.equal(phasesInWords([]), "");
  assert.equal(phasesInWords(undefined), "");
});

test("the bar of phases leaves out what lies between two of them", () => {
  const shown = pieces(FOUR).map(({ phase: found, ns }) => [found?.name ?? null, ns / MS]);

  assert.deepEqual(shown, [
    ["dependencies", 12], ["endpoint", 301], [null, 7], ["serialization", 40], ["background_task", 1000], ["background_task", 200],
  ]);
});

test("a slice knows the phases that it lies in", () => {
  assert.equal(phasesWithin(FOUR, 20 * MS, 30 * MS), "endpoint");
  assert.equal(phasesWithin(FOUR, 5 * MS, 330 * MS), "dependencies, endpoint, serialization");
  assert.equal(phasesWithin(FOUR, 314 * MS, 319 * MS), "");
});

test("phases are drawn below the slices where there is room, however short they are", () => {
  const drawn = [];
  const ctx = { fillStyle: "", fillRect: (...box) => drawn.push([ctx.fillStyle, ...box]) };
  const scale = new Scale(0, 1000 * MS, 100, 1000);
  const palette = /** @type {any} */ ({ ink: "ink", dim: "dim", faint: "faint" });
  const row = { topPx: 40, heightPx: 20, pitchPx: 26 };

  drawPhases(ctx, scale, row, [phase("dependencies", 0, 0.2), phase("endpoint", 0.2, 300), phase("serialization", 2000, 2001)], palette);
  drawPhases(ctx, scale, { ...row, pitchPx: 12 }, FOUR, palette);

  assert.deepEqual(drawn, [["faint", 100, 61, 1, 3], ["ink", 100, 61, 299, 3]]);
});

test("what a request did after its answer is added to it, if it is still there", () => {
  const requests = new Requests();
  for (const id of [1, 2]) requests.add(/** @type {any} */ ({ id, status: 200, phases: [] }));
  for (const id of [1, 9]) requests.addMore({ id, after_ms: 1200, phases: FOUR });

  assert.deepEqual(requests.finished.map(({ id, phases }) => [id, phases?.length]), [[1, 5], [2, 0]]);
  assert.deepEqual(requests.get(1), { id: 1, status: 200, after_ms: 1200, phases: FOUR });
  assert.equal(requests.get(9), undefined);
});

test("how a phase was spent is read from its request's lane", () => {
  const lane = new Lane(2, wire.REQUEST_LANE, 1, "GET /slow", 7, 0);
  for (const [ms, state] of [[0, wire.READY], [10, wire.RUNNING], [14, wire.WAITING], [300, wire.RUNNING], [302, wire.GONE]]) {
    lane.enter(ms * MS, state, 0, 0);
  }
  const spent = (from, to) => splitInWords(splitWithin(lane, from * MS, to * MS)).replaceAll("\u00a0", " ");

  assert.equal(spent(12, 301), "3.00 ms of your code, 286 ms waiting for something");
  assert.equal(spent(5, 11), "1.00 ms of your code, 5.00 ms waiting for its turn");
  assert.equal(spent(400, 500), "no time at all");
});
