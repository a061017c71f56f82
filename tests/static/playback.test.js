import assert from "node:assert/strict";
import { test } from "node:test";

import { Playback } from "../../static/js/view/playback.js";
import { Viewport } from "../../static/js/view/viewport.js";

const NOW = 100e9;
const none = () => null;

function held() {
  const viewport = new Viewport(() => {});
  const playback = new Playback(viewport, () => {});
  viewport.hold(NOW);
  return { viewport, playback };
}

test("live, the playhead is now", () => {
  const playback = new Playback(new Viewport(() => {}), () => {});

  assert.equal(playback.atNs(NOW), NOW);
});

test("the playhead stays where it was put, and goes when one returns to live", () => {
  const { viewport, playback } = held();
  playback.seek(97e9, NOW);
  assert.equal(playback.atNs(NOW + 5e9), 97e9);
  viewport.goLive();

  assert.equal(playback.atNs(NOW + 5e9), NOW + 5e9);
});

test("a playhead that is put out of sight brings the picture with it", () => {
  const { viewport, playback } = held();
  playback.seek(50e9, NOW);

  assert.ok(viewport.startNs < 50e9 && 50e9 < viewport.startNs + viewport.rangeNs);
});

test("at a hundredth of life a hundred milliseconds show one", () => {
  const { playback } = held();
  playback.seek(99e9, NOW);
  playback.setSlowness(100, NOW);
  playback.play(NOW);
  const soon = (ns) => ns + 1;
  playback.advance(1000, NOW, soon);
  playback.advance(1100, NOW, soon);

  assert.equal(playback.atNs(NOW), 99e9 + 1e6);
});

test("a stretch in which nothing changes passes within a second, and ends at the change", () => {
  const { playback } = held();
  playback.seek(90e9, NOW);
  playback.setSlowness(1000, NOW);
  playback.play(NOW);
  const next = (ns) => (ns < 95e9 ? 95e9 : ns + 1);
  for (let ms = 1000; ms <= 2000; ms += 50) playback.advance(ms, NOW, next);

  assert.ok(playback.atNs(NOW) >= 95e9 && playback.atNs(NOW) < 95.001e9, String(playback.atNs(NOW)));
});

test("played to the end, the picture is live again", () => {
  const { viewport, playback } = held();
  playback.seek(NOW - 1e6, NOW);
  playback.setSlowness(1, NOW);
  playback.play(NOW);
  for (let ms = 1000; ms < 2000; ms += 50) playback.advance(ms, NOW, none);

  assert.equal(viewport.isLive, true);
  assert.equal(playback.isPlaying, false);
});

test("a step too small to see brings the picture nearer", () => {
  const { viewport, playback } = held();
  playback.seek(99e9, NOW);
  playback.stepTo(99e9 + 40e3, NOW, 800);

  assert.ok(viewport.rangeNs < 1e6);
  assert.equal(playback.atNs(NOW), 99e9 + 40e3);
});
