import assert from "node:assert/strict";
import { test } from "node:test";

import { BINDINGS, bindingOf } from "../../static/js/input/keys.js";

const shown = (event) => bindingOf({ shiftKey: false, key: "", ...event })?.shown;

test("letters are places: the key left of S pans, whatever is printed on it", () => {
  assert.equal(shown({ code: "KeyA", key: "q" }), "A  ←");
  assert.equal(shown({ code: "KeyW", key: "z" }), "W  +");
});

test("signs are found wherever the layout has them", () => {
  assert.equal(shown({ code: "Slash", key: "/" }), "/");
  assert.equal(shown({ code: "Slash", key: "?", shiftKey: true }), "?");
  assert.equal(shown({ code: "Minus", key: "?", shiftKey: true }), "?", "on a German keyboard");
  assert.equal(shown({ code: "Slash", key: "-" }), "S  −", "on a German keyboard");
  assert.equal(shown({ code: "Digit7", key: "/", shiftKey: true }), "/", "on a German keyboard");
});

test("Shift is a key of its own where it has a use, else it changes nothing", () => {
  assert.equal(shown({ code: "ArrowUp", key: "ArrowUp" }), "↑");
  assert.equal(shown({ code: "ArrowUp", key: "ArrowUp", shiftKey: true }), "Shift ↑");
  assert.equal(shown({ code: "KeyF", key: "F", shiftKey: true }), "F  ".trim());
});

test("no two bindings claim one key, and each says what it does", () => {
  const keys = BINDINGS.flatMap((binding) => binding.keys);

  assert.equal(new Set(keys).size, keys.length);
  for (const { shown: name, words } of BINDINGS) assert.ok(name && words);
});
