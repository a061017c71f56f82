import assert from "node:assert/strict";
import { test } from "node:test";

import { readAddress, writeAddress, writeModes } from "../../static/js/view/address.js";
import { seeded } from "./support.js";

const FIRST = {
  run: "ab12",
  held: null,
  rangeNs: 10e9,
  filter: "",
  grouping: "time",
  pins: [],
  unfolded: [],
  showsTasks: false,
};

test("the first view has no fragment, and no fragment is the first view", () => {
  assert.equal(writeAddress(FIRST), "");
  assert.deepEqual(readAddress("", "ab12"), FIRST);
});

test("any view comes back from its address as it was", () => {
  const random = seeded(11);
  const whole = (limit) => Math.floor(random() * limit);
  for (let k = 0; k < 300; k += 1) {
    const startNs = whole(1e12) - 1e10;
    const isHeld = random() < 0.6;
    const rangeNs = 1000 + whole(3e9);
    const view = {
      run: "ab12",
      held: isHeld ? { startNs, rangeNs, atNs: random() < 0.5 ? startNs + whole(rangeNs) : null } : null,
      rangeNs: isHeld ? 10e9 : rangeNs,
      filter: random() < 0.5 ? "#12 /slow & ü=%" : "",
      grouping: ["time", "name", "spawn", "worker"][whole(4)],
      pins: Array.from({ length: whole(4) }, () => whole(5000)),
      unfolded: Array.from({ length: whole(3) }, () => whole(5000)),
      showsTasks: random() < 0.5,
    };
    assert.deepEqual(readAddress(`#${writeAddress(view)}`, "ab12"), view);
  }
});

test("of another run, times and numbers mean nothing; what one looked for still does", () => {
  const view = { ...FIRST, held: { startNs: 5, rangeNs: 5000, atNs: 7 }, filter: "slow", grouping: "name", pins: [3] };

  assert.deepEqual(readAddress(writeAddress(view), "other"), {
    ...FIRST,
    run: "other",
    filter: "slow",
    grouping: "name",
  });
});

test("nonsense in an address is left out", () => {
  const bad = ["from=1&to=0&run=ab12", "from=x&to=9e99&run=ab12", "last=1", "last=-5", "group=moon", "pin=a.-1&run=ab12", "%E0%A4"];
  for (const fragment of bad) assert.deepEqual(readAddress(fragment, "ab12"), FIRST, fragment);
});

test("the modes are in the address, and what else stands there stays", () => {
  const off = { present: undefined, story: undefined };

  assert.equal(writeModes("?present&x=1", { ...off, story: "one_block" }), "?x=1&story=one_block");
  assert.equal(writeModes("", { ...off, present: "" }), "?present");
  assert.equal(writeModes("?story=a&present", off), "");
});
