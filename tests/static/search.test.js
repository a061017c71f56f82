import assert from "node:assert/strict";
import { test } from "node:test";

import { Lane } from "../../static/js/model/lanes.js";
import { nextMatch } from "../../static/js/model/search.js";
import { GONE, READY, REQUEST_LANE, RUNNING, WAITING } from "../../static/js/wire.js";
import { seeded } from "./support.js";

const STRINGS = ["", "sleep\tapp.py:31 in slow", "lock\tapp.py:40 in pay", "queue"];

function lanesOf(random) {
  return Array.from({ length: 20 }, (_, k) => {
    const lane = new Lane(k + 1, REQUEST_LANE, 1, k % 5 ? "GET /fast" : "GET /pay", k + 1, k);
    let t = k;
    for (let i = 0; i < 15; i += 1) {
      lane.enter(t, [RUNNING, WAITING, READY][i % 3], Math.floor(random() * 4), 0);
      t += 1 + Math.floor(random() * 50);
    }
    lane.enter(t, GONE, 0, 0);
    return lane;
  });
}

test("walking from find to find meets each find once, in order, in both directions", () => {
  const lanes = lanesOf(seeded(5));
  for (const words of ["sleep", "app.py lock", "PAY", "#7", "nothing like it"]) {
    const wanted = words.toLowerCase().split(" ");
    const has = (text) => wanted.every((word) => text.toLowerCase().includes(word));
    const twin = lanes.flatMap(({ id, label, request, spans }) => {
      if (has(`#${request} ${label}`)) return [{ lane: id, startNs: spans.startNs(0) }];
      const found = [];
      for (let i = 0; i < spans.count; i += 1) {
        if (spans.state(i) !== GONE && has(STRINGS[spans.info(i)])) found.push({ lane: id, startNs: spans.startNs(i) });
      }
      return found;
    });
    twin.sort((one, other) => one.startNs - other.startNs || one.lane - other.lane);
    for (const [step, start, order] of [[1, -1, twin], [-1, 1e9, [...twin].reverse()]]) {
      const met = [];
      let at = { lane: 0, startNs: start };
      for (let next = nextMatch(lanes, STRINGS, words, at, step); next; next = nextMatch(lanes, STRINGS, words, at, step)) {
        met.push(next);
        at = next;
      }
      assert.deepEqual(met, order, `${words} ${step}`);
    }
  }
});

test("no words find nothing", () => {
  assert.equal(nextMatch(lanesOf(seeded(1)), STRINGS, "  ", { lane: 0, startNs: 0 }, 1), null);
});
