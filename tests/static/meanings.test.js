import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { History } from "../../static/js/model/history.js";
import { reportWords } from "../../static/js/ui/experiment.js";
import { MEANINGS } from "../../static/js/ui/meanings.js";
import { sentencesOf } from "../../static/js/ui/status.js";
import { frameOf, helloOf } from "./support.js";

const read = (name) => readFileSync(new URL(`../../templates/${name}.html`, import.meta.url), "utf8");
const page = read("index") + read("experiment");
const named = new Set([...page.matchAll(/data-means="([^"]+)"/g)].map(([, name]) => name));
/** As tasks are told to wait; the boxes make a word of them. */
const REASONS = ["worker thread", "thread token"];

function noticesOf() {
  const history = new History();
  history.begin(helloOf({ snapshot: frameOf({ t_ns: 600e9, missed: 1, thinned: 1, undrawn: 1 }), skipped: 1 }));
  Object.assign(history.lanes, { dropped: 1, faded: 1, merged: 1 });
  return sentencesOf(history, { broken: 1 }, "", 0);
}

test("each word that offers its meaning has one, and no meaning is without its word", () => {
  const reported = reportWords({ phase: "over", variants: [{ name: "one", totals: { little: { deviation: 0.01 } } }] });
  const asked = new Set([...named, ...REASONS, ...reported.flatMap((word) => (typeof word === "string" ? [] : word.means)), ...noticesOf().map(({ means }) => means)]);

  assert.deepEqual([...asked].sort(), Object.keys(MEANINGS).sort());
});

test("a word that stands in several places can be asked by keyboard in one of them", () => {
  const buttons = new Set([...page.matchAll(/<button[^>]* data-means="([^"]+)"/g)].map(([, name]) => name));

  assert.deepEqual([...named].filter((name) => !buttons.has(name)), []);
});

test("every count of what is missing says in more words what that means", () => {
  const told = noticesOf();

  assert.equal(told.length, 7);
  for (const { text, means } of told) assert.match(MEANINGS[means], /^[A-Z].*\.$/, text);
});
