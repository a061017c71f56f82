// @ts-check

// The other stalls, the most harmful first, folded away: each a button that brings it to the top.

import { countOf, formatMs, formatPlace } from "../format.js";
import { isStartUp, worstFirst } from "../model/stalls.js";
import { make, part, setText } from "./parts.js";

/** @typedef {import("../wire.js").Stall} Stall */

/** More are counted: nobody reads on. */
const MAX_LISTED = 50;

/**
 * "3 other stalls; this did the most harm".
 * @param {Stall} shown
 * @param {readonly Stall[]} stalls the most harmful first
 */
export function othersInWords(shown, stalls) {
  const words = countOf(stalls.length - 1, "other stall");
  return stalls[0] === shown ? `${words}; this did the most harm` : words;
}

/**
 * Whom a stall hurt, in few words.
 * @param {Stall} stall
 */
export function harmInWords({ victims: { count, delay_ms: delayMs, others } }) {
  if (count) return `${countOf(count, "request")} by ${formatMs(delayMs)}`;
  return others?.count ? `${countOf(others.count, "task")} by ${formatMs(others.delay_ms)}` : "nobody waited";
}

export class StallList {
  #box;
  #summary;
  #list;
  #key = "";

  /**
   * @param {ParentNode} root
   * @param {(id: number) => void} onChoose
   * @param {AbortSignal} signal
   */
  constructor(root, onChoose, signal) {
    this.#box = /** @type {HTMLDetailsElement} */ (part(root, "other-stalls"));
    this.#summary = part(root, "other-stalls-summary");
    this.#list = part(root, "stall-list");
    this.#list.addEventListener(
      "click",
      (event) => {
        const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-stall-id]"));
        if (row) onChoose(Number(row.dataset.stallId));
      },
      { signal },
    );
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {Stall | null} shown the one that is told above
   */
  show(history, shown) {
    const stalls = worstFirst(history);
    const others = stalls.filter((stall) => stall !== shown);
    this.#box.hidden = !others.length;
    if (!others.length) return;
    setText(this.#summary, shown ? othersInWords(shown, stalls) : countOf(others.length, "stall"));
    const listed = this.#box.open ? others.slice(0, MAX_LISTED) : [];
    const rows = listed.map((stall) => [wordsOf(stall), `${harmInWords(stall)}, ${timeOf(history, stall)}${pidOf(history, stall)}`, String(stall.id)]);
    const key = rows.join("\n");
    if (key === this.#key) return;
    this.#key = key;
    this.#list.replaceChildren(
      ...rows.map(([words, harm, id]) => {
        const row = make("button", "stall-row", make("span", "", words), make("small", "", harm));
        row.dataset.stallId = id;
        return make("li", "", row);
      }),
      ...(others.length > listed.length && listed.length ? [make("li", "", `and ${others.length - listed.length} more`)] : []),
    );
  }
}

function wordsOf(stall) {
  const place = stall.starved ? "a busy machine" : formatPlace(stall.culprit) || "one step";
  return `${isStartUp(stall) ? "start-up: " : ""}${place} ${formatMs(stall.duration_ms)}`;
}

/** Of several loops' stalls, whose it is. */
function pidOf({ loops }, { loop: id }) {
  const loop = loops?.length > 1 ? loops.find((each) => each.id === id) : null;
  return loop ? `, pid ${loop.pid}` : "";
}

/** When it began, by the clock on the wall. */
function timeOf({ hello }, stall) {
  const ms = (hello?.origin_unix_ms ?? 0) + stall.start_ns / 1e6;
  return new Date(ms).toLocaleTimeString("en-GB");
}
