import assert from "node:assert/strict";
import { test } from "node:test";
import { Tour } from "../../static/js/model/tour.js";

const STORIES = [
  { id: "one", variants: ["a", "b"] },
  { id: "two", variants: ["c", "gone"] },
];
const tourOf = () => new Tour(STORIES, (id) => id === "gone");

/** What a walk of so many steps was told to do. */
function walk(tour, steps) {
  return Array.from({ length: steps }, () => {
    const next = tour.on();
    if ("send" in next) return next.send;
    return "show" in next ? next.show.id : "end";
  });
}

test("a talk shows each story's question, sends its variants in order, and ends", () => {
  assert.deepEqual(walk(tourOf(), 6), ["one", "a", "b", "two", "c", "end"]);
});

test("what needs something that is not here is left out of the talk", () => {
  assert.ok(!walk(tourOf(), 6).includes("gone"));
});

test("back means this story's question first, then the story before", () => {
  const tour = tourOf();
  walk(tour, 5);

  assert.equal(tour.back()?.id, "two");
  assert.equal(tour.back()?.id, "one");
  assert.equal(tour.back()?.id, "one");
  assert.deepEqual(walk(tour, 2), ["a", "b"]);
});

test("a talk can begin at any story, and an unknown one changes nothing", () => {
  const tour = tourOf();

  assert.ok(tour.open("two"));
  assert.ok(!tour.open("three"));
  assert.equal(tour.story?.id, "two");
  assert.deepEqual(walk(tour, 2), ["c", "end"]);
});

test("closed, no story is open, and the next step begins with the first", () => {
  const tour = tourOf();
  tour.open("two");
  tour.close();

  assert.equal(tour.story, null);
  assert.deepEqual(walk(tour, 1), ["one"]);
});
