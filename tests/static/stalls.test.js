import assert from "node:assert/strict";
import { test } from "node:test";

import { stallToTell, worstFirst } from "../../static/js/model/stalls.js";
import { harmInWords, othersInWords } from "../../static/js/ui/stall-list.js";
import { heldInWords, heldName } from "../../static/js/ui/stall.js";

const plain = (text) => text.replaceAll("\u00a0", " ");

function stallOf(id, startS, ms, { delay = 0, count = Number(delay > 0), others = 0, over = true, label = "GET /a" } = {}) {
  const victims = { count, delay_ms: delay, others: { count: Number(others > 0), delay_ms: others } };
  return { id, start_ns: startS * 1e9, duration_ms: ms, over, label, victims };
}

function historyOf(stalls, recording = null) {
  return {
    hello: { recording },
    stalls: new Map(stalls.map((stall) => [stall.id, stall])),
    lastStall: stalls.reduce((last, each) => (!last || each.start_ns >= last.start_ns ? each : last), null),
  };
}

test("the stall that is on is told of; when it is over, the one that did the most harm", () => {
  const worst = stallOf(1, 0, 2000, { delay: 30_000 });
  const on = stallOf(2, 5, 150, { over: false });

  assert.equal(stallToTell(historyOf([worst, on])), on);
  assert.equal(stallToTell(historyOf([worst, { ...on, over: true }])), worst);
  assert.equal(stallToTell(historyOf([])), null);
});

test("harm is the wait of requests, then of others, then length; a server that starts harms nobody", () => {
  const stalls = [
    stallOf(1, 0, 9000, { label: "Server.serve" }),
    stallOf(2, 1, 300),
    stallOf(3, 2, 200),
    stallOf(4, 3, 150, { others: 80 }),
    stallOf(5, 4, 120, { delay: 10 }),
  ];

  assert.deepEqual(worstFirst(historyOf(stalls)).map(({ id }) => id), [5, 4, 2, 3, 1]);
});

test("what was a minute before the last stall is of now no more, but for a recording, and time alone changes nothing", () => {
  const worst = stallOf(1, 0, 2000, { delay: 30_000 });
  const stalls = [worst, stallOf(2, 63, 150)];

  assert.equal(stallToTell(historyOf(stalls))?.id, 2);
  assert.equal(stallToTell(historyOf(stalls, { name: "a" })), worst);
  assert.equal(stallToTell(historyOf([worst])), worst);
});

test("the viewer's choice stands, unless a stall is on or it is forgotten", () => {
  const stalls = [stallOf(1, 0, 2000, { delay: 30_000 }), stallOf(2, 5, 150)];

  assert.equal(stallToTell(historyOf(stalls), 2)?.id, 2);
  assert.equal(stallToTell(historyOf(stalls), 9)?.id, 1);
  assert.equal(stallToTell(historyOf([...stalls, stallOf(3, 6, 150, { over: false })]), 2)?.id, 3);
});

test("the way to the others says how many, and which one this is", () => {
  const [worst, other] = [stallOf(1, 0, 2000, { delay: 30_000, count: 20 }), stallOf(2, 5, 150)];

  assert.equal(othersInWords(worst, [worst, other]), "1 other stall; this did the most harm");
  assert.equal(othersInWords(other, [worst, other]), "1 other stall");
  assert.deepEqual([worst, other, stallOf(3, 0, 200, { others: 90 })].map(harmInWords).map(plain), [
    "20 requests by 30.0 s", "nobody waited", "1 task by 90.0 ms",
  ]);
});

test("who was held up has the request's number, and of how many so many are named", () => {
  const heldUp = [{ kind: "request", id: 12, label: "GET /fast" }, { kind: "request", id: -4, label: "GET /fast" }, { kind: "task", id: 3, label: "tick" }];

  assert.deepEqual(heldUp.map(heldName), ["#12 GET /fast", "GET /fast", "tick"]);
  assert.equal(heldInWords({ held_up: heldUp, victims: { count: 60, others: { count: 1 } } }), "3 of 61 had to wait, the longest first");
  assert.equal(heldInWords({ held_up: heldUp, victims: { count: 2, others: { count: 1 } } }), "3 had to wait, the longest first");
});
