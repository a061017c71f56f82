import assert from "node:assert/strict";
import { test } from "node:test";

import { formatPlace } from "../../static/js/format.js";
import { History } from "../../static/js/model/history.js";
import { foldStack, packagesOf, StallView } from "../../static/js/ui/stall.js";
import { asDrawn, lampOf, sentencesOf } from "../../static/js/ui/status.js";
import { frameOf, helloOf } from "./support.js";

const line = (file, user) => ({ file, line: 1, function: "f", user });

test("neighbouring lines of other people's code are one fold", () => {
  const stack = [line("a", false), line("b", false), line("c", true), line("d", true), line("e", false)];

  const folds = foldStack(stack).map(({ user, lines }) => `${user ? "mine" : "theirs"} ${lines.map(({ file }) => file).join("")}`);

  assert.deepEqual(folds, ["theirs ab", "mine cd", "theirs e"]);
  assert.deepEqual(foldStack([]), []);
});

test("a fold is named by its packages, each once", () => {
  const files = [
    "/usr/lib/python3.12/json/encoder.py",
    "/srv/.venv/lib/python3.12/site-packages/fastapi/routing.py",
    "/srv/.venv/lib/python3.12/site-packages/fastapi/app.py",
    "/usr/lib/python3/dist-packages/six.py",
    "<frozen importlib._bootstrap>",
  ];

  assert.equal(packagesOf(files.map((file) => line(file, false))), "json, fastapi, six, <frozen importlib._bootstrap>");
});

test("of a stall of which no more is known nothing is left of the one before", async () => {
  const drawn = ["the stall before"];
  const box = { hidden: true, replaceChildren: () => drawn.splice(0) };
  const view = new StallView({ querySelector: () => box }, async () => null, new AbortController().signal);

  view.show({ id: 7, over: true, starved: false, culprit: null }, 0);
  await null;
  await null;

  assert.deepEqual(drawn, []);
});

test("a stopped process is called frozen, and a C call without a line says why", () => {
  const loop = { state: "frozen", pid: 7, frozen_ms: 1200, blocked_ms: 0, utilisation: 0, culprit: null };
  const held = { ...loop, state: "blocked", held: true, dumps: { sent: 0, refusal: "not on this system" } };

  assert.match(lampOf("live", loop, 0).word, /^Frozen 1\.20\ss$/);
  assert.match(lampOf("live", held, 300).detail, /one C call holds the interpreter/);
  assert.match(lampOf("live", { ...held, dumps: { sent: 0, refusal: "" } }, 300).detail, /looking for the line/);
});

test("the lamp calls a loop blocked from the moment on at which its bar is", () => {
  const loop = { state: "blocked", running: { label: "", request: 1, since_ns: 5e9 } };
  const state = (ns) => asDrawn(loop, ns, 100e6).state;

  assert.deepEqual([5.09e9, 5.1e9, 7e9].map(state), ["running", "blocked", "blocked"]);
  assert.equal(asDrawn({ ...loop, running: null }, 5e9, 100e6).state, "blocked");
  assert.equal(asDrawn(null, 5e9, 100e6), null);
});

test("a builtin that the loop itself calls has a name and no line", () => {
  assert.equal(formatPlace({ file: "", line: 0, function: "time.sleep" }), "time.sleep");
  assert.equal(formatPlace({ file: "/srv/shop.py", line: 41, function: "report" }), "shop.py:41");
});

test("where no signal can be used the page says what that means, once for each reason", () => {
  const history = new History();
  const of = (refusal, state = "idle") => ({ state, dumps: { sent: 0, refusal } });
  history.loops = [of("no real-time signals"), of("no real-time signals"), of("switched off", "ended"), of("")];

  assert.deepEqual(sentencesOf(history, { broken: 0 }, ""), [
    { text: "A C call that holds the interpreter is named only once it returns: no real-time signals.", tone: "quiet" },
  ]);
});

test("who looks back further than all is kept is told that rows and slices made room", () => {
  const history = new History();
  history.begin(helloOf({ snapshot: frameOf({ t_ns: 600e9 }) }));
  Object.assign(history.lanes, { faded: 1200, merged: 1 });
  const words = (leftNs) => sentencesOf(history, { broken: 0 }, "", leftNs).map(({ text }) => text);

  assert.deepEqual(words(500e9), ["Of what is older than a minute the longest is kept: 1,200 rows and 1 slice made room."]);
  assert.deepEqual(words(545e9), []);
  assert.deepEqual(words(Infinity), []);
});
