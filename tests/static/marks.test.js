// What the program marked: kept in order, found, drawn as thin lines with words where there is room.

import assert from "node:assert/strict";
import test from "node:test";
import { drawProgramMarks } from "../../static/js/draw/marks.js";
import { History } from "../../static/js/model/history.js";
import { Marks, shortText } from "../../static/js/model/marks.js";
import { describeMark } from "../../static/js/ui/tooltip.js";
import { frameOf, helloOf, recordingContext, unitScale } from "./support.js";

const mark = (ns, text, changes = {}) => ({ kind: "mark", start_ns: ns, loop: 1, text, label: "buy", where: "shop.py:3 in buy", ...changes });

test("marks of a snapshot and of frames are kept in order of time, and no other incident", () => {
  const history = new History();
  history.begin(helloOf({ snapshot: frameOf({ incidents: [mark(20, "b"), { ...mark(5, "collector"), kind: "pause" }] }) }));
  history.apply(frameOf({ seq: 2, incidents: [mark(30, "c"), mark(10, "a")] }));

  assert.deepEqual(history.marks.all.map(({ text }) => text), ["a", "b", "c"]);
  history.begin(helloOf({ run: "two", snapshot: frameOf({}) }));
  assert.deepEqual(history.marks.all, []);
});

test("marks are bounded, and the nearest is found", () => {
  const marks = new Marks();
  for (let ns = 0; ns < 1500; ns += 1) marks.add(mark(ns, `${ns}`));

  assert.equal(marks.all.length, 1000);
  assert.equal(marks.all[0].ns, 500);
  assert.equal(marks.near(700.4, 3)?.text, "700");
  assert.equal(marks.near(490, 3), null);
});

test("each mark is a line from top to bottom, its words at its foot, in three lines where they would meet", () => {
  const marks = new Marks();
  [mark(10, "one"), mark(12, "<b>two</b>"), mark(14, "three"), mark(16, "no room"), mark(100, "also"), mark(196, "left of it")].forEach((each) => marks.add(each));
  const ctx = { ...recordingContext(), measureText: (text) => ({ width: text.length }) };
  drawProgramMarks(ctx, unitScale(200), marks.all, { topPx: 30, bottomPx: 90 }, { dim: "dim", ink: "ink", bg: "bg" });

  assert.deepEqual(ctx.rects.filter(({ w, h }) => w === 1 && h === 60).map(({ x }) => x), [10, 12, 14, 16, 100, 196]);
  assert.deepEqual(ctx.texts.map(({ text }) => text), ["one", "<b>two</b>", "three", "also", "left of it"]);
  assert.deepEqual(ctx.rects.filter(({ h }) => h === 18).map(({ y }) => y), [72, 54, 36, 72, 72]);
  assert.ok(ctx.texts.at(-1).x < 196);
});

test("a mark in words: its text, whose, and where; a long one is cut beside its line", () => {
  assert.deepEqual(describeMark(mark(1, "sold out")), {
    name: "sold out", state: 0, words: "Marked by buy", info: "shop.py:3 in buy", length: "", why: "",
  });
  assert.equal([...shortText(mark(1, "é".repeat(500)))].length, 33);
});
