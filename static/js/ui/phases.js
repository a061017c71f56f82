// @ts-check

// What FastAPI was at for the selected request: a bar, and the same in words.

import { formatMs } from "../format.js";
import { nameOf, phasesInWords, pieces } from "../model/phases.js";
import { splitInWords, splitWithin } from "../model/requests.js";
import { make, resizeChildren, setText } from "./parts.js";

/**
 * @param {HTMLElement} box
 * @param {readonly import("../wire.js").Phase[]} [phases]
 * @param {import("../model/lanes.js").Lane} [lane] the request's, if it is still there: how each phase was spent
 */
export function writePhases(box, phases = [], lane) {
  const words = phasesInWords(phases);
  const [bar, line] = box.children;
  box.hidden = !words;
  setText(line, words);
  const found = pieces(phases);
  resizeChildren(bar, found.length, () => make("i", ""));
  found.forEach(({ phase, ns }, i) => {
    const piece = /** @type {HTMLElement} */ (bar.children[i]);
    piece.dataset.phase = phase?.name ?? "";
    piece.title = phase ? [`${nameOf(phase)} ${formatMs(ns / 1e6)}`, phase.function, ...spent(lane, phase)].join("\n") : "";
    piece.style.flexGrow = `${ns / 1e6}`;
  });
}

function spent(lane, { start_ns: startNs, end_ns: endNs }) {
  return lane ? [splitInWords(splitWithin(lane, startNs, endNs))] : [];
}
