import assert from "node:assert/strict";
import { test } from "node:test";

import { Trail } from "../../static/js/view/trail.js";
import { Viewport } from "../../static/js/view/viewport.js";
import { seeded } from "./support.js";

test("back and forward walk as in a list of all places, whatever is done", () => {
  const random = seeded(7);
  let nowMs = 0;
  const trail = new Trail(() => (nowMs += 1000));
  // The slow, obvious twin: all places, and where we are among them.
  let places = [0];
  let at = 0;
  for (let k = 1; k < 400; k += 1) {
    const choice = random();
    if (choice < 0.4) {
      trail.leave(places[at], "pan");
      places = [...places.slice(0, at + 1), k];
      at += 1;
      if (at > 100) [places, at] = [places.slice(at - 100), 100];
    } else {
      const step = choice < 0.7 ? -1 : 1;
      const wanted = places[at + step];
      const found = step < 0 ? trail.back(places[at]) : trail.forward(places[at]);
      assert.equal(found, wanted);
      if (wanted !== undefined) at += step;
    }
  }
});

test("a drag is one step back, however many moves it was", () => {
  let nowMs = 0;
  const viewport = new Viewport(() => {}, () => nowMs);
  viewport.hold(100e9);
  const { startNs } = viewport;
  for (let k = 0; k < 50; k += 1) {
    nowMs += 16;
    viewport.panBy(-1e8, 100e9);
  }
  nowMs += 5000;
  viewport.zoomBy(0.5, 90e9);
  viewport.undo();
  viewport.undo();

  assert.equal(viewport.startNs, startNs);
  assert.equal(viewport.redo(), true);
  assert.ok(viewport.startNs < startNs);
});

test("undo goes back to live where one came from there", () => {
  let nowMs = 0;
  const viewport = new Viewport(() => {}, () => (nowMs += 1000));
  viewport.fit(90e9, 91e9, 100e9);
  assert.equal(viewport.isLive, false);
  viewport.undo();

  assert.equal(viewport.isLive, true);
  assert.equal(viewport.rangeNs, 10e9);
  assert.equal(viewport.undo(), false, "there is nothing before");
});

test("zooming in at a place far from now holds the picture there; near now it stays live", () => {
  const near = new Viewport(() => {});
  near.zoomAt(0.8, 99.9e9, 100e9);
  const far = new Viewport(() => {});
  far.zoomAt(0.8, 95e9, 100e9);

  assert.equal(near.isLive, true);
  assert.equal(far.isLive, false);
});

test("a stretch is marked from either end", () => {
  const viewport = new Viewport(() => {});
  viewport.mark(9, 4);

  assert.deepEqual(viewport.area, { startNs: 4, endNs: 9 });
});
