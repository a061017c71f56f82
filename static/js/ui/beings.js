// @ts-check

// Requests and tasks as small marks with a number and the request's own colour. Each is made once and
// moves between the boxes, so that the eye can follow it. Draws where it is told; decides nothing.

import { formatLane } from "../format.js";
import { STATES } from "../wire.js";
import { make, setText } from "./parts.js";

const FLIGHT_MS = 280;
/** More at once is a swarm that nobody can follow, and costs frames. */
const MAX_FLIGHTS = 60;
/** Where so many stand, or have just come and gone, nobody is followed. */
const MAX_FLYING = MAX_FLIGHTS * 4;
/** So many may come and go each second, for as long as one likes. */
const FOLLOWED_PER_S = 15;
/** Hues a golden angle apart differ most, however many there are. */
const HUE_STEP = 137.508;

/**
 * @typedef {object} Seat where a being is to be drawn
 * @property {HTMLElement} box
 * @property {import("../model/moment.js").Being} being
 * @property {"row" | "chip" | "dot"} form
 * @property {string} [note] how long, or how much longer
 * @property {number} [left] share of its wait that is still to come
 */

/** The colour by which one knows a request again. */
export function tint(element, request) {
  const hue = request ? String(Math.round((request * HUE_STEP) % 360)) : "";
  if (element.dataset.hue === hue) return;
  element.dataset.hue = hue;
  element.style.setProperty("--hue", hue || "0");
}

export class Beings {
  /** @type {Map<number, HTMLElement>} by lane */
  #marks = new Map();
  /** Those under way, so that nobody has to ask the browser, which would lay out the page first. @type {WeakMap<HTMLElement, Animation>} */
  #flights = new WeakMap();
  /** Where each was before this refresh. @type {Map<number, DOMRect>} */
  #from = new Map();
  #layout = "";
  /** Those who came and went, less those whom the eye has followed by now. */
  #swarm = 0;
  #lookedMs = 0;
  #stays;

  constructor() {
    this.#stays = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /**
   * Look where everybody stands, before anything of the refresh is written: now the page is laid out,
   * and to look costs nothing. Where each lands costs a layout: not for a swarm that nobody can follow.
   * @param {number} nowMs
   */
  look(nowMs) {
    const followed = ((nowMs - this.#lookedMs) / 1000) * FOLLOWED_PER_S;
    this.#swarm = Math.min(Math.max(this.#swarm - followed, 0), MAX_FLYING + FOLLOWED_PER_S);
    this.#lookedMs = nowMs;
    this.#from.clear();
    if (this.#stays.matches || document.visibilityState !== "visible") return;
    if (Math.max(this.#marks.size, this.#swarm) > MAX_FLYING) return;
    for (const [id, mark] of this.#marks) this.#from.set(id, mark.getBoundingClientRect());
  }

  /** @param {readonly Seat[]} seats in the order in which they stand in their boxes */
  show(seats) {
    const layout = seats.map(({ box, being, form }) => `${box.dataset.part ?? box.dataset.group} ${being.lane.id} ${form}`).join();
    if (layout !== this.#layout) {
      this.#layout = layout;
      this.#settle(seats);
    }
    for (const seat of seats) this.#write(seat);
  }

  #settle(seats) {
    const kept = new Set();
    /** @type {Map<HTMLElement, number>} how many each box holds by now */
    const filled = new Map();
    for (const { box, being } of seats) {
      const mark = this.#marks.get(being.lane.id) ?? this.#make(being.lane);
      kept.add(being.lane.id);
      const at = filled.get(box) ?? 0;
      filled.set(box, at + 1);
      if (box.children[at] !== mark) box.insertBefore(mark, box.children[at] ?? null);
    }
    for (const [id, mark] of this.#marks) {
      if (kept.has(id)) continue;
      mark.remove();
      this.#marks.delete(id);
      this.#swarm += 1;
    }
    for (const { being, form } of seats) this.#form(being, form);
    if (seats.length <= MAX_FLYING) this.#fly();
  }

  #fly() {
    // First all that is read, then all that is written: else each read costs a layout.
    const flights = [];
    for (const [id, old] of this.#from) {
      const mark = this.#marks.get(id);
      if (!mark || flights.length >= MAX_FLIGHTS) continue;
      const place = mark.getBoundingClientRect();
      const dx = old.left - place.left;
      const dy = old.top - place.top;
      if (Math.hypot(dx, dy) >= 2) flights.push({ mark, dx, dy });
    }
    for (const { mark, dx, dy } of flights) {
      this.#flights.get(mark)?.cancel();
      const path = [{ transform: `translate(${dx}px, ${dy}px)`, zIndex: 3 }, { transform: "none", zIndex: 3 }];
      this.#flights.set(mark, mark.animate(path, { duration: FLIGHT_MS, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" }));
    }
  }

  #make(lane) {
    const mark = make("button", "being", make("i", "tint"), make("b", ""), make("span", ""), make("small", ""));
    mark.setAttribute("type", "button");
    // The rows of the timeline are the way for the keyboard; hundreds of stops are none.
    mark.tabIndex = -1;
    mark.dataset.lane = String(lane.id);
    this.#marks.set(lane.id, mark);
    this.#swarm += 1;
    return mark;
  }

  #form({ lane, state }, form) {
    const mark = /** @type {HTMLElement} */ (this.#marks.get(lane.id));
    mark.dataset.form = form;
    mark.dataset.state = STATES[state];
    mark.dataset.kind = lane.request ? "request" : "task";
    tint(mark, lane.request);
  }

  /** @param {Seat} seat */
  #write({ being, note = "", left }) {
    const { lane } = being;
    const mark = /** @type {HTMLElement} */ (this.#marks.get(lane.id));
    const [, number, name, small] = mark.children;
    const title = formatLane(lane.request, lane.label);
    setText(number, lane.request ? `#${lane.request}` : "");
    setText(name, lane.request ? formatLane(0, lane.label) : lane.label || "a task");
    setText(small, note);
    if (mark.title !== title) mark.title = title;
    if (mark.getAttribute("aria-label") !== title) mark.setAttribute("aria-label", title);
    const state = STATES[being.state];
    if (mark.dataset.state !== state) mark.dataset.state = state;
    if (left === undefined) mark.style.removeProperty("--left");
    else mark.style.setProperty("--left", left.toFixed(2));
  }
}
