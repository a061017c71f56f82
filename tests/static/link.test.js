import assert from "node:assert/strict";
import { test } from "node:test";

import { Link } from "../../static/js/input/link.js";

/** A page whose view is held at startNs; `written` are the addresses that it gave itself. */
function pageAt(startNs) {
  const written = [];
  Object.assign(globalThis, {
    addEventListener() {},
    location: { pathname: "/", search: "", hash: "" },
    history: { replaceState: (_state, _title, url) => written.push(url) },
  });
  const viewport = { isLive: false, startNs, rangeNs: 1e9, shownNs: () => 0, goTo() {}, goLive() {}, zoomBy() {} };
  const choice = { filter: "", grouping: "time", pins: [], unfolded: [], showsTasks: false, restore() {} };
  const stage = { viewport, choice, playback: { atNs: () => 0 }, nowNs: () => 0, modes: () => ({}) };
  const link = new Link(/** @type {any} */ (stage), new AbortController().signal);
  link.begin("run");
  viewport.isLive = false;
  return { link, viewport, written };
}

test("an address is written once the view has come to rest, and not on its way", () => {
  const { link, viewport, written } = pageAt(0);
  let nowMs = 0;
  for (; nowMs < 5000; nowMs += 16) {
    viewport.startNs += 1e6;
    assert.equal(link.keep(nowMs), true);
  }
  assert.deepEqual(written, []);

  let frames = 0;
  for (; link.keep(nowMs); nowMs += 16) frames += 1;
  assert.equal(written.length, 1);
  assert.match(written[0], new RegExp(`from=${viewport.startNs}`));
  assert.ok(frames > 0);
});

test("a view that stays as it is is not written again, and asks for no frame", () => {
  const { link, written } = pageAt(0);
  let nowMs = 0;
  while (link.keep(nowMs)) nowMs += 16;

  assert.equal(link.keep(nowMs + 10_000), false);
  assert.equal(written.length, 1);
});
