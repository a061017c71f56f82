// @ts-check

// What is under the pointer, in plain words; the same words stand in the line below the timeline for
// the selected slice, where the keyboard brings them too.

import { countOf, formatDuration, formatLane, formatMs, keepUnits } from "../format.js";
import { isBetween, readAtDoor } from "../model/moment.js";
import { phasesInWords, phasesWithin } from "../model/phases.js";
import { requestInWords } from "../model/requests.js";
import { whyNotRunning } from "../model/why.js";
import * as wire from "../wire.js";
import { part, setText } from "./parts.js";

const AT_THE_DOOR = "At the door: sent, but the loop has not looked";
/** Of those at the door the loop has read so many: who that is, only their first steps tell. */
const DOOR = Object.freeze({
  none: AT_THE_DOOR,
  some: "At the door, or read by the loop and not begun yet",
  all: "Read by the loop, not begun yet",
});
/** One clause per state: "for 480 ms" follows. */
const WORDS = Object.freeze({
  [wire.IDLE]: "The loop sleeps: nothing to do",
  [wire.RUNNING]: "Runs on the loop",
  [wire.READY]: "Ready, waits for its turn",
  [wire.DUE]: "Could go on, but the loop has not looked",
  [wire.WAITING]: "Waits",
  [wire.THREAD_QUEUE]: "Waits for a free worker thread",
  [wire.THREAD]: "Runs in a worker thread",
  [wire.PROCESS]: "Runs in another process",
  [wire.OUTSIDE]: AT_THE_DOOR,
  [wire.LOST]: "Unknown: its records were lost",
  [wire.BLOCKED]: "Holds the loop: nobody else can run",
});

/** What the server says of rows that are too old, and not around a stall. */
const NOT_KEPT = "not kept";
/** States whose words have it already. */
const SAID = new Set([wire.WAITING, wire.READY]);

/**
 * @param {import("../model/history.js").History} history
 * @param {import("../model/lanes.js").Lane} lane
 * @param {number} i
 * @param {number} nowNs
 * @returns {{name: string, state: number, words: string, info: string, length: string, why: string}}
 */
export function describe(history, lane, i, nowNs) {
  const startNs = lane.spans.startNs(i);
  const lengthNs = Math.max(Math.min(lane.spans.endNs(i, nowNs), nowNs) - startNs, 0);
  const state = lane.spans.state(i);
  const isStall = state === wire.RUNNING && lengthNs >= history.stallNs;
  const shown = isStall ? wire.BLOCKED : state;
  const who = lane.spans.who(i);
  const info = wire.readInfo(history.text(lane.spans.info(i)));
  const { what, place } = info;
  const merged = lane.spans.merged(i);
  const phases = history.requests.get(wire.isRequestKind(lane.kind) ? lane.request : 0)?.phases ?? [];
  const told = place || (SAID.has(state) || what === NOT_KEPT ? "" : what);
  const name =
    lane.kind === wire.LOOP_LANE && who ? `the loop, for #${who}` : formatLane(lane.request, lane.label);
  let words = WORDS[shown] ?? "Nothing";
  if (isStall && isCutOff(history, lane, startNs + lengthNs)) words = "Held the loop until its process was gone";
  if (state === wire.OUTSIDE && i === lane.spans.count - 1) words = DOOR[readAtDoor(history, lane)];
  if (isBetween(lane.spans, i)) words = "The loop is between two steps";
  if (state === wire.WAITING && what) words = `Waits for ${keepUnits(wire.wholeWait(info))}`;
  if (state === wire.LOST && what === NOT_KEPT) words = "Unknown: not kept any more";
  if (state === wire.READY && what) words = `${words}; woken by ${wokenBy(history, what, who)}`;
  if (merged) {
    words = `${countOf(merged, "short slice")}, merged as time went by: ran for ${formatDuration(lane.spans.ranNs(i))} of it`;
  }
  return {
    name,
    state: shown,
    words,
    info: [told, phasesWithin(phases, startNs, startNs + lengthNs)].filter(Boolean).join(" · "),
    length: formatDuration(lengthNs),
    why: merged ? "" : whyNotRunning(history, lane, i, nowNs),
  };
}

/** Is it the step in which its process was gone? */
function isCutOff({ stalls }, { loop }, endNs) {
  const isIt = (stall) => stall.unfinished && stall.loop === loop && stall.start_ns < endNs;
  return [...stalls.values()].some((stall) => isIt(stall) && stall.start_ns + stall.duration_ms * 1e6 >= endNs - 1e6);
}

/** A task by its name, if its lane is still there; anything else by its kind. */
function wokenBy(history, what, who) {
  const waker = who ? history.lanes.get(who) : null;
  return waker ? formatLane(waker.request, waker.label) : `a ${what}`;
}

/**
 * A request's whole life in the same form.
 * @param {import("../wire.js").FinishedRequest} request
 */
export function describeRequest(request) {
  return {
    name: formatLane(request.id, `${request.method} ${request.route}`),
    state: wire.GONE,
    words: requestInWords(request),
    info: request.status ? `answered ${request.status}` : "never answered",
    length: formatMs(request.total_ms),
    why: phasesInWords(request.phases),
  };
}

/**
 * What the program marked, in the same form.
 * @param {import("../model/marks.js").Mark} mark
 */
export function describeMark({ text, label, where }) {
  const words = label ? `Marked by ${label}` : "Marked by the program";
  return { name: text, state: wire.GONE, words, info: where, length: "", why: "" };
}

export class Tooltip {
  #box;
  #name;
  #words;
  #length;
  #info;
  #why;

  /** @param {ParentNode} root */
  constructor(root) {
    this.#box = part(root, "tooltip");
    this.#name = part(root, "tooltip-name");
    this.#words = part(root, "tooltip-words");
    this.#length = part(root, "tooltip-length");
    this.#info = part(root, "tooltip-info");
    this.#why = part(root, "tooltip-why");
  }

  /**
   * @param {ReturnType<typeof describe> | null} found
   * @param {{xPx: number, yPx: number}} [at]
   */
  show(found, at) {
    this.#box.hidden = !found;
    if (!found || !at) return;
    setText(this.#name, found.name);
    setText(this.#words, found.words);
    setText(this.#length, found.length);
    setText(this.#info, found.info);
    setText(this.#why, found.why);
    this.#box.dataset.state = found.state === wire.BLOCKED ? "blocked" : wire.STATES[found.state];
    const parent = /** @type {HTMLElement} */ (this.#box.parentElement);
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const left = Math.min(at.xPx + 16, parent.clientWidth - width - 4);
    const below = at.yPx + 20;
    const top = below + height > parent.clientHeight ? at.yPx - height - 12 : below;
    this.#box.style.transform = `translate(${Math.round(Math.max(left, 4))}px, ${Math.round(top)}px)`;
  }
}
