// @ts-check

// The timeline's twin as a table, for those who listen to the page or prefer to read: one row per lane
// in sight, what it does at the moment shown, for how long, and why. Bounded; hidden from sight until
// asked for, never from a screen reader.

import { countOf, formatDuration, formatLane } from "../format.js";
import { sumStates } from "../model/totals.js";
import { DUE, GONE, OUTSIDE, READY, RUNNING, STATES } from "../wire.js";
import { make, part, resizeChildren, setText } from "./parts.js";
import { describe, describeMark } from "./tooltip.js";

const MAX_ROWS = 60;
/** Of more, loops and pins stay, and the newest, which stand last. */
const TOP_ROWS = 4;
const MAX_MARKS = 20;
/** A screen reader's cursor must find its cell again; and nobody reads faster. */
const REFRESH_MS = 1000;

export class Twin {
  #box;
  #body;
  #caption;
  #shownMs = -Infinity;
  #sums = new Float64Array(STATES.length);

  /** @param {ParentNode} root */
  constructor(root) {
    this.#box = part(root, "twin");
    this.#body = part(root, "twin-rows");
    this.#caption = part(root, "twin-caption");
  }

  toggle() {
    const isUnseen = this.#box.classList.toggle("unseen");
    // It scrolls while it is seen, and keys must be able to do that.
    this.#box.tabIndex = isUnseen ? -1 : 0;
    this.#shownMs = -Infinity;
    return !isUnseen;
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {readonly import("../model/lanes.js").Lane[]} lanes in sight
   * @param {{ns: number, isLive: boolean, startNs: number, endNs: number, nowMs: number}} at
   */
  show(history, lanes, at) {
    if (at.nowMs - this.#shownMs < REFRESH_MS) return;
    // What is empty shows the first rows as soon as they come.
    if (lanes.length) this.#shownMs = at.nowMs;
    const more = Math.max(lanes.length - MAX_ROWS, 0);
    const rows = more ? [...lanes.slice(0, TOP_ROWS), ...lanes.slice(TOP_ROWS + more)] : lanes;
    const marks = history.marks.within(at.startNs, at.endNs).slice(-MAX_MARKS);
    const told = [
      `${countOf(lanes.length, "row")} in sight, ${at.isLive ? "now" : "at the moment shown"}`,
      more ? `${more} of them are left out` : "",
      marks.length ? `${countOf(marks.length, "mark")} of the program below` : "",
    ];
    setText(this.#caption, told.filter(Boolean).join("; "));
    resizeChildren(this.#body, rows.length + marks.length, makeRow);
    rows.forEach((lane, k) => this.#fill(this.#body.children[k], history, lane, at));
    marks.forEach((mark, k) => fillMark(this.#body.children[rows.length + k], mark, at.ns));
  }

  #fill(row, history, lane, { ns, startNs, endNs }) {
    const i = lane.spans.indexAt(ns);
    const isThere = i >= 0 && lane.spans.state(i) !== GONE;
    const found = isThere ? describe(history, lane, i, ns) : null;
    this.#sums.fill(0);
    sumStates(lane.spans, startNs, Math.min(endNs, ns), ns, this.#sums);
    const lateNs = this.#sums[READY] + this.#sums[DUE] + this.#sums[OUTSIDE];
    const texts = [
      formatLane(lane.request, lane.label),
      found ? found.words : lane.startNs > ns ? "not begun" : "over",
      found ? found.length : "",
      found ? found.info : "",
      found ? found.why : "",
      formatDuration(this.#sums[RUNNING]),
      formatDuration(lateNs),
    ];
    texts.forEach((text, k) => setText(row.children[k], text));
  }
}

function fillMark(row, mark, ns) {
  const { name, words, info } = describeMark(mark);
  const apart = formatDuration(Math.abs(ns - mark.ns));
  const texts = [name, words, ns < mark.ns ? `in ${apart}` : `${apart} ago`, info, "", "", ""];
  texts.forEach((text, k) => setText(row.children[k], text));
}

function makeRow() {
  const name = make("th", "");
  name.setAttribute("scope", "row");
  return make("tr", "", name, ...Array.from({ length: 6 }, () => make("td", "")));
}
