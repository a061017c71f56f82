import assert from "node:assert/strict";
import { test } from "node:test";

import { placeChildren } from "../../static/js/ui/parts.js";
import { seeded } from "./support.js";

/** As much of an element as a list needs; counts what a browser would have to do. */
function listOf() {
  const done = { made: 0, moved: 0, removed: 0 };
  const list = {
    done,
    children: [],
    insertBefore(child, before) {
      done.moved += 1;
      child.leave();
      list.children.splice(before ? list.children.indexOf(before) : list.children.length, 0, child);
    },
    make() {
      const leave = () => (list.children = list.children.filter((other) => other !== child));
      const child = { leave, remove: () => { done.removed += Number(list.children.includes(child)); leave(); } };
      done.made += 1;
      return child;
    },
  };
  return list;
}

function placing() {
  const list = listOf();
  const children = new Map();
  const place = (keys) => {
    Object.assign(list.done, { made: 0, moved: 0, removed: 0 });
    placeChildren(/** @type {any} */ (list), keys, children, /** @type {any} */ (list.make));
    return { ...list.done };
  };
  return { list, children, place };
}

test("children stand in the order of their keys, whoever came and went, and who stays is the same one", () => {
  const { list, children, place } = placing();
  const random = seeded(11);
  let before = new Map();
  for (let round = 0; round < 300; round += 1) {
    const keys = Array.from({ length: 12 }, (_, key) => key).filter(() => random() < 0.6);
    if (round % 3 === 0) keys.sort(() => random() - 0.5);
    place(keys);

    assert.deepEqual(list.children, keys.map((key) => children.get(key)));
    assert.deepEqual([...children.keys()].sort((a, b) => a - b), [...keys].sort((a, b) => a - b));
    for (const [key, child] of before) if (children.has(key)) assert.equal(children.get(key), child);
    before = new Map(children);
  }
});

test("to go far makes no child and moves none; to go on by one moves one", () => {
  const { place } = placing();
  const keys = (from) => Array.from({ length: 100 }, (_, i) => from - i);

  assert.deepEqual(place(keys(1000)), { made: 100, moved: 100, removed: 0 });
  assert.deepEqual(place(keys(500)), { made: 0, moved: 0, removed: 0 });
  assert.deepEqual(place(keys(501)), { made: 0, moved: 1, removed: 0 });
  assert.deepEqual(place(keys(500)), { made: 0, moved: 1, removed: 1 });
  assert.deepEqual(place(keys(500).slice(2)), { made: 0, moved: 0, removed: 2 });
});
