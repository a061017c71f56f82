import assert from "node:assert/strict";
import { test } from "node:test";

import { subjectAt } from "../../static/js/ui/code-pane.js";

const stall = { id: 1, loop: 1, start_ns: 0, duration_ms: 200, over: true, request: 7, label: "GET /blocking", culprit: { file: "/srv/shop.py", line: 6, function: "fetch" } };
const finding = { where: "shop.py:31 in kept", request: 0, stall: 0 };
const moment = { ns: 9e9, running: null, before: [] };
const subject = (told) => subjectAt({ history: { lastStall: stall, lanes: { ofRequest: () => null } }, moment, selected: null, isLive: true, stall: null, ...told });

test("the code is that of the finding which is told of, if it has a line, and not of a stall that is told of no more", () => {
  assert.equal(subject({ stall }).place, "shop.py:6 in fetch");
  assert.equal(subject({ finding }).place, "shop.py:31 in kept");
  assert.equal(subject({ finding: { ...finding, where: "" } }), null);
  assert.equal(subject({ finding: { ...finding, where: "sum" } }), null);
  assert.equal(subject({ stall, finding: { ...finding, stall: 1 } }).place, "shop.py:6 in fetch");
});

test("while a stall's line is looked for, the request is told that holds the loop, and that its line is looked for", () => {
  const on = { ...stall, over: false, culprit: null };
  const { title, verb, route, isSought } = subject({ stall: on });

  assert.deepEqual({ title, verb, route, isSought }, { title: "#7 /blocking", verb: "looking for its line…", route: "GET /blocking", isSought: true });
  assert.equal(subject({ stall: { ...on, starved: true } }), null);
});
