// @ts-check

// "What the articles say": sends what the numbers on the page need, one after the other, and fills them
// in from the answers. Nobody knows it.

import { countOf } from "./format.js";
import { press } from "./press.js";
import { Theme } from "./theme.js";
import { part, setText } from "./ui/parts.js";

const leaving = new AbortController();
const { signal } = leaving;
addEventListener("pagehide", () => leaving.abort(), { signal });

// The theme that was chosen on the other page.
new Theme(document.documentElement, () => {}, signal);
const root = document.body;
const progress = part(root, "progress");
const buttons = [...root.querySelectorAll("button")];
/** @type {HTMLElement[]} */
const places = [...root.querySelectorAll("[data-fact]")].filter((each) => each instanceof HTMLElement);

/** "sync_in_async.culprit" → the scenario and the word. */
const splitFact = (place) => (place.dataset.fact ?? "").split(".");
const scenariosIn = (element) => [
  ...new Set(places.filter((place) => element.contains(place)).map((place) => splitFact(place)[0])),
];

function fill(outcome) {
  for (const place of places) {
    const [scenario, word] = splitFact(place);
    if (scenario !== outcome.scenario) continue;
    setText(place, outcome.words[word] ?? "not measured");
    place.dataset.fresh = "";
  }
}

function refuse(scenario, sentence) {
  for (const place of places) {
    if (splitFact(place)[0] !== scenario) continue;
    const words = place.closest(".measured")?.querySelector(".unmeasured");
    if (words) setText(words, sentence);
  }
}

async function measure(scenarios) {
  for (const button of buttons) button.disabled = true;
  const missing = [];
  for (const [i, scenario] of scenarios.entries()) {
    setText(progress, `${i + 1} of ${scenarios.length}: ${scenario}`);
    try {
      const outcome = await press(scenario, {}, signal);
      if (outcome.trouble) throw new Error(outcome.trouble);
      fill(outcome);
    } catch (error) {
      if (signal.aborted) return;
      const { message } = /** @type {Error} */ (error);
      refuse(scenario, message);
      missing.push(`${scenario}: ${message}`);
    }
  }
  setText(progress, [`${countOf(scenarios.length - missing.length, "scenario")} measured.`, ...missing].join(" "));
  for (const button of buttons) button.disabled = false;
}

part(root, "measure-all").addEventListener("click", () => measure(scenariosIn(root)), { signal });
for (const button of root.querySelectorAll("[data-measure]")) {
  button.addEventListener("click", () => measure(scenariosIn(button.closest(".claim"))), { signal });
}
for (const place of root.querySelectorAll(".measured p:first-child")) markCode(place);

/** `Code` in backticks, as in the stories; the numbers within stay the elements that they are. */
function markCode(paragraph) {
  for (const node of [...paragraph.childNodes]) {
    if (node.nodeType !== Node.TEXT_NODE || !node.data.includes("`")) continue;
    const pieces = node.data.split("`").map((piece, i) => {
      if (i % 2 === 0) return piece;
      const code = document.createElement("code");
      code.textContent = piece;
      return code;
    });
    node.replaceWith(...pieces);
  }
}
