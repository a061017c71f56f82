// @ts-check

// The real source of who is looked at, with the line lit at which it runs or awaits: the selected row,
// else who was on the loop at the playhead, else the line of the stall or the finding that is told of. Asks the server
// for each line once; keeps the last answers.

import { fileName, formatLane, formatPlace } from "../format.js";
import { isSought, isStartUp } from "../model/stalls.js";
import { readPlace, whereabouts } from "../model/whereabouts.js";
import { isOn } from "../wire.js";
import { tint } from "./beings.js";
import { codeBlock } from "./code.js";
import { part, setText } from "./parts.js";

const MAX_SOURCES = 100;

/**
 * @typedef {{file: string, line: number, function: string, code: string}} Source
 * @typedef {{title: string, request: number, verb: string, place: string, route: string, isStall: boolean, isSought?: boolean}} Subject
 *   isSought: its line is looked for
 */

export class CodePane {
  #box;
  #title;
  #tint;
  #verb;
  #code;
  #signal;
  #onFound;
  #request;
  #shown = "";
  /** @type {Map<string, Source | null>} null: asked, not there */
  #sources = new Map();
  /** The place whose source was asked for last, until it is here. */
  #coming = "";

  /**
   * @param {ParentNode} root
   * @param {(url: string, signal: AbortSignal) => Promise<Source | null>} ask
   * @param {() => void} onFound
   * @param {AbortSignal} signal
   */
  constructor(root, ask, onFound, signal) {
    this.#box = part(root, "code-pane");
    this.#title = part(root, "code-title");
    this.#tint = part(root, "code-tint");
    this.#verb = part(root, "code-verb");
    this.#code = part(root, "code-lines");
    this.#signal = signal;
    this.#request = ask;
    this.#onFound = onFound;
    this.#code.addEventListener("pointerover", (event) => sayWhole(/** @type {Element} */ (event.target)), { signal });
  }

  /**
   * @param {Subject | null} subject
   * @param {readonly import("./triggers.js").Scenario[]} scenarios
   */
  show(subject, scenarios) {
    const source = subject ? this.#sourceOf(subject, scenarios) : null;
    // What is below keeps its place while the next line or its code is on the way.
    const isComing = !this.#box.hidden && Boolean(subject?.isSought || (subject?.place && subject.place === this.#coming));
    this.#code.toggleAttribute("data-coming", !source && isComing);
    this.#box.hidden = !source && !isComing;
    if (!subject || this.#box.hidden) return;
    setText(this.#title, subject.title);
    setText(this.#verb, subject.verb);
    tint(this.#tint, subject.request);
    if (!source) return;
    const line = readPlace(subject.place)?.line ?? 0;
    const key = `${source.file} ${source.line} ${line} ${subject.isStall}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const block = codeBlock(source.code, source.line, line);
    block.toggleAttribute("data-stall", subject.isStall);
    block.tabIndex = 0;
    block.setAttribute("role", "group");
    block.setAttribute("aria-label", `Code of ${source.function}`);
    this.#code.replaceChildren(block);
    const lit = block.querySelector("[data-lit]");
    // Only inside its own box: the page must not jump.
    if (lit) block.scrollTop = /** @type {HTMLElement} */ (lit).offsetTop - block.clientHeight / 2;
  }

  #sourceOf({ place, route }, scenarios) {
    const known = place ? this.#sources.get(place) : null;
    if (known) return known;
    if (place && known === undefined) this.#ask(place);
    return scenarioAt(place, route, scenarios);
  }

  async #ask(place) {
    if (this.#sources.size >= MAX_SOURCES) this.#sources.clear();
    this.#sources.set(place, null);
    this.#coming = place;
    try {
      const url = `/api/source?place=${encodeURIComponent(place)}`;
      const source = await this.#request(url, this.#signal);
      if (!source) return;
      this.#sources.set(place, source);
      this.#onFound();
    } catch {
      // The dashboard is away, which the page says by itself; asked again when it is back.
      this.#sources.delete(place);
    } finally {
      if (this.#coming === place) this.#coming = "";
    }
  }
}

/** Of a line that is cut, all of it. */
function sayWhole(target) {
  const line = /** @type {HTMLElement | null} */ (target.closest(".code-line"));
  if (line) line.title = line.scrollWidth > line.clientWidth ? line.textContent ?? "" : "";
}

/**
 * @param {object} at
 * @param {import("../model/history.js").History} at.history
 * @param {import("../model/moment.js").Moment} at.moment
 * @param {import("../model/lanes.js").Lane | null} at.selected
 * @param {boolean} at.isLive
 * @param {import("../wire.js").Stall | null} at.stall the one that the panel above tells of
 * @param {import("../wire.js").Finding | null} [at.finding] that it tells of, with the stall or without one
 * @returns {Subject | null}
 */
export function subjectAt({ history, moment, selected, isLive, stall: told, finding = null }) {
  const text = (i) => history.text(i);
  const stall = isLive ? told ?? history.lastStall : lastStallAt(history, moment.ns);
  const isHeldUp = stall && moment.ns < stall.start_ns + stall.duration_ms * 1e6;
  const runs = moment.running?.request ? history.lanes.ofRequest(moment.running.request) : null;
  const lane = selected ?? (isLive || isHeldUp ? null : runs ?? lastRun(history, moment));
  if (lane) {
    const { place, verb } = whereabouts(lane, text, moment.ns);
    const culprit = isHeldUp && runs === lane && stall?.culprit?.file ? stall.culprit : null;
    const isStall = Boolean(culprit);
    const at = culprit ? placeOf(culprit) : place;
    const title = formatLane(lane.request, lane.label);
    return { title, request: lane.request, verb: isStall ? "holds the loop here" : verb, place: at, route: lane.label, isStall };
  }
  if (isLive && finding && !told) return ofFinding(finding);
  if (stall && isLive && isSought(stall)) {
    const title = formatLane(stall.request, stall.label);
    return { title, request: stall.request, verb: "looking for its line…", place: "", route: stall.label, isStall: true, isSought: true };
  }
  // The garbage collector has no line.
  if (!stall?.culprit?.file) return null;
  const title = `${formatPlace(stall.culprit)} in ${stall.culprit.function}`;
  const isStart = isStartUp(stall);
  const verb = isStart ? "at start-up" : isOn(stall) || isHeldUp ? "holds the loop here" : "held the loop here";
  return { title, request: 0, verb, place: placeOf(stall.culprit), route: "", isStall: !isStart };
}

/**
 * What the rules found may be of no line.
 * @param {import("../wire.js").Finding} finding
 * @returns {Subject | null}
 */
function ofFinding({ where, request }) {
  if (!readPlace(where)) return null;
  return { title: where, request, verb: "found here", place: where, route: "", isStall: false };
}

/**
 * The last that had begun by then.
 * @param {import("../model/history.js").History} history
 * @param {number} ns
 */
function lastStallAt(history, ns) {
  /** @type {import("../wire.js").Stall | null} */
  let last = null;
  for (const stall of history.stalls.values()) {
    if (stall.start_ns <= ns && (!last || stall.start_ns >= last.start_ns)) last = stall;
  }
  return last;
}

function lastRun(history, moment) {
  const run = moment.before[0];
  return run ? history.lanes.ofRequest(run.request) ?? null : null;
}

function placeOf({ file, line, function: name }) {
  return `${fileName(file)}:${line} in ${name}`;
}

/** The demo's own handlers are here before the first line is known. */
function scenarioAt(place, route, scenarios) {
  const at = readPlace(place);
  const path = route.slice(route.indexOf(" ") + 1);
  for (const { source, path: scenarioPath } of scenarios) {
    const end = source.line + source.code.trimEnd().split("\n").length - 1;
    if (at && fileName(source.file) === at.file && at.line >= source.line && at.line <= end) return source;
    if (!at && path && scenarioPath === path) return source;
  }
  return null;
}
