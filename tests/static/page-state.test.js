import assert from "node:assert/strict";
import { test } from "node:test";

import { missingIn, pageStateOf } from "../../static/js/ui/page-state.js";

const idle = { state: "idle", pid: 7 };
const ended = { state: "ended", pid: 7 };
const facts = (changes) => ({ line: "live", isLive: true, quietMs: 20, loops: [idle], hasDemo: true, notices: [], ...changes });
const told = (changes) => {
  const { word, observed, title } = pageStateOf(facts(changes));
  return [word, observed, title];
};

test("a page that is well says nothing", () => {
  assert.deepEqual(told({}), ["live", "recorded", ""]);
  assert.deepEqual(told({ isLive: false }), ["paused", "recorded", ""]);
});

test("each state of the line is told", () => {
  assert.deepEqual(told({ line: "connecting", loops: [] }), ["connecting", "none", "Connecting"]);
  assert.deepEqual(told({ line: "lost" }), ["lost", "recorded", "The dashboard is gone"]);
  assert.deepEqual(told({ quietMs: 1500 }), ["behind", "recorded", "Behind"]);
  for (const line of ["live", "lost"]) {
    assert.deepEqual(told({ line, lateMs: 1500 }), ["behind", "recorded", "News comes late"]);
  }
});

test("who is not let in reads why, in the dashboard's words", () => {
  const { word, title, words } = pageStateOf(facts({ line: "connecting", loops: [], refusal: "600 viewers are watching" }));

  assert.deepEqual([word, title], ["lost", "Not let in"]);
  assert.equal(words, "600 viewers are watching. The page tries again by itself.");
  assert.deepEqual(told({ refusal: "600 viewers are watching" }), ["live", "recorded", ""]);
});

test("each state of what is observed is told", () => {
  assert.deepEqual(told({ loops: [] }), ["live", "starting", "The demo app is starting"]);
  assert.deepEqual(told({ loops: [], hasDemo: false }), ["live", "none", "No loop yet"]);
  assert.deepEqual(told({ loops: [ended], hasDemo: false }), ["live", "ended", "Process 7 is gone"]);
  assert.deepEqual(told({ loops: [ended], notices: ["killed by signal 9"] }), ["live", "restarting", "The demo app is restarting"]);
  assert.deepEqual(told({ loops: [ended, idle] }), ["live", "recorded", ""]);
});

test("a held picture is not covered by what is going on now", () => {
  assert.deepEqual(told({ isLive: false, loops: [ended], hasDemo: false }), ["paused", "ended", ""]);
});

test("what a browser lacks is named", () => {
  const world = { EventSource: 1, ResizeObserver: 1, Array, HTMLDialogElement: 1, DOMMatrix: 1 };

  assert.deepEqual(missingIn(world), []);
  assert.deepEqual(missingIn({ ...world, EventSource: undefined, DOMMatrix: undefined }), ["EventSource", "canvas patterns"]);
});
