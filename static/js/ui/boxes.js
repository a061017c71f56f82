// @ts-check

// The loop, drawn: at the door → due → ready → running → waiting. Decides who is seen in which box and
// in which form; the marks themselves are Beings. Shows one Moment.

import { countOf, formatCount, formatDuration } from "../format.js";
import { inOrder } from "../model/moment.js";
import { Beings, tint } from "./beings.js";
import { MEANINGS } from "./meanings.js";
import { make, makeWord, part, resizeChildren, setText } from "./parts.js";

const MAX_DOTS = 60;
/** A few of a group are named by number, more become dots. */
const MAX_CHIPS = 8;
/** A reason that nobody waits for any more stays for a moment: short waits would make it flicker. */
const LINGER_MS = 700;
/** anyio's pool has forty; drawn only when the wire tells how many are out. */
const MAX_TOKENS = 64;

/** @typedef {{columns: number, rows: number, dots: (rows: number) => number}} Room */

export class BoxesView {
  #parts;
  #boxes;
  #beings = new Beings();
  /** @type {Map<string, {row: HTMLElement, seenMs: number, group: {reason: string, isTasks: boolean}}>} */
  #groups = new Map();
  /** What fits into each queue, measured when its size has changed. @type {Map<Element, Room>} */
  #rooms = new Map();

  /**
   * @param {ParentNode} root
   * @param {(lane: number) => void} onSelect
   * @param {AbortSignal} signal
   */
  constructor(root, onSelect, signal) {
    const names = [
      "door", "door-more", "due", "due-more", "ready", "ready-more", "slot", "slot-title", "slot-label",
      "slot-time", "slot-before", "waiting-groups", "boxes-when", "count-door", "count-due", "count-ready",
      "count-waiting", "slot-tint",
    ];
    this.#parts = Object.fromEntries(names.map((name) => [name, part(root, name)]));
    this.#boxes = part(root, "boxes");
    this.#boxes.addEventListener(
      "click",
      (event) => {
        const mark = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-lane]"));
        if (mark) onSelect(Number(mark.dataset.lane));
      },
      { signal },
    );
    const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => this.#rooms.delete(target)));
    for (const name of ["door", "due", "ready"]) observer.observe(this.#parts[name]);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  /**
   * @param {import("../model/moment.js").Moment} moment
   * @param {object} at
   * @param {number} at.nowMs
   * @param {boolean} at.isLive
   * @param {number} at.stallNs
   * @param {string} at.when
   * @param {(request: number) => string} at.nameOf
   * @param {import("../wire.js").Tokens | null} at.tokens worker threads, when the wire tells
   * @param {{title: string, words: string}} at.silence who is in the slot when nobody runs, and why
   */
  show(moment, at) {
    const parts = this.#parts;
    this.#beings.look(at.nowMs);
    setText(parts["boxes-when"], at.when);
    setText(parts["count-door"], formatCount(moment.doorCount));
    setText(parts["count-due"], formatCount(moment.due.length));
    setText(parts["count-ready"], formatCount(moment.readyCount));
    setText(parts["count-waiting"], formatCount(moment.waitingCount));
    this.#showSlot(moment, at);
    this.#beings.show([
      ...this.#queue("door", moment.door, moment.ns, moment.doorCount),
      ...this.#queue("due", moment.due, moment.ns),
      ...this.#queue("ready", moment.ready, moment.ns, moment.readyCount),
      ...this.#waiting(moment, at),
    ]);
    this.#showTokens(moment, at);
  }

  /** By name when they fit, else by number; of a crowd the first by name and the others as dots. */
  #queue(name, beings, ns, count = beings.length) {
    const box = this.#parts[name];
    const room = this.#rooms.get(box) ?? measureRoom(box);
    this.#rooms.set(box, room);
    const isCrowd = beings.length > room.rows * room.columns;
    const rows = beings.length <= room.rows ? beings.length : isCrowd ? Math.min(1, room.rows - 1) : 0;
    const others = isCrowd ? Math.min(beings.length - rows, room.dots(rows)) : beings.length - rows;
    const hidden = beings.length - rows - others;
    // Of whom nothing is known but that they are there, each has a mark; a box without a name says what they are.
    const nameless = Math.max(count - beings.length, 0);
    const lines = rows || Math.ceil(beings.length / room.columns);
    const drawn = isCrowd || lines >= room.rows ? 0 : Math.min(nameless, room.dots(lines));
    showNameless(box, drawn);
    const more = hidden + nameless - drawn;
    setText(this.#parts[`${name}-more`], more ? `+${formatCount(more)}` : "");
    box.toggleAttribute("data-nameless", nameless > 0 && !beings.length);
    return beings.slice(0, rows + others).map((being, i) => ({
      box,
      being,
      form: i < rows ? "row" : isCrowd ? "dot" : "chip",
      note: formatDuration(ns - being.sinceNs),
    }));
  }

  #waiting(moment, at) {
    const seats = [];
    const known = new Set();
    for (const group of moment.waiting) {
      const row = this.#groupRow(group, at.nowMs);
      known.add(keyOf(group));
      const [head, dots, note] = row.children;
      setText(head.children[0], group.reason);
      setText(head.children[1], formatCount(group.beings.length));
      setText(note, noteOf(group, moment.ns));
      const isPool = group.reason === "worker thread" && at.tokens?.total;
      const form = group.beings.length <= MAX_CHIPS && !isPool ? "chip" : "dot";
      for (const being of group.beings.slice(0, MAX_DOTS)) {
        const lengthNs = being.untilNs - being.sinceNs;
        const left = Number.isFinite(lengthNs) ? Math.max(being.untilNs - moment.ns, 0) / lengthNs : undefined;
        seats.push({ box: /** @type {HTMLElement} */ (dots), being, form: being.lane.request ? form : "dot", left });
      }
    }
    if (at.tokens?.total) known.add("worker thread");
    this.#forgetGroups(known, at);
    return seats;
  }

  #groupRow(group, nowMs) {
    const key = keyOf(group);
    const known = this.#groups.get(key);
    if (known) {
      known.seenMs = nowMs;
      return known.row;
    }
    const row = make("li", "group", make("p", "", headOf(group.reason), make("span", "")), make("span", "dots"), make("small", ""));
    row.toggleAttribute("data-tasks", group.isTasks);
    /** @type {HTMLElement} */ (row.children[1]).dataset.group = key;
    const after = [...this.#groups.values()].filter((other) => inOrder(other.group, group) > 0);
    after.sort((one, other) => inOrder(one.group, other.group));
    this.#parts["waiting-groups"].insertBefore(row, after[0]?.row ?? null);
    this.#groups.set(key, { row, seenMs: nowMs, group: { reason: group.reason, isTasks: group.isTasks } });
    return row;
  }

  #forgetGroups(known, { nowMs, isLive }) {
    for (const [key, { row, seenMs }] of this.#groups) {
      row.toggleAttribute("data-empty", !known.has(key));
      if (known.has(key)) continue;
      setText(row.children[0].children[1], "0");
      setText(row.children[2], "");
      if (isLive && nowMs - seenMs < LINGER_MS) continue;
      row.remove();
      this.#groups.delete(key);
    }
  }

  /** The pool as it is: who has a token stands in it, and what is free is an empty place. */
  #showTokens(moment, { tokens, nowMs }) {
    if (!tokens || !tokens.total) return;
    const row = this.#groupRow({ reason: "worker thread", isTasks: false }, nowMs);
    row.removeAttribute("data-empty");
    setText(row.children[0].children[0], "worker thread");
    setText(row.children[0].children[1], `${tokens.borrowed}/${tokens.total}`);
    if (!moment.waiting.some(({ reason }) => reason === "worker thread")) setText(row.children[2], "");
    const dots = row.children[1];
    const marks = dots.querySelectorAll(".being").length;
    const places = [...dots.querySelectorAll(".token")];
    const wanted = Math.max(Math.min(tokens.total, MAX_TOKENS) - marks, 0);
    while (places.length > wanted) places.pop()?.remove();
    while (places.length < wanted) places.push(dots.appendChild(make("i", "token")));
    // Taken by somebody who is no request of this loop.
    places.forEach((place, k) => place.toggleAttribute("data-out", k < tokens.borrowed - marks));
  }

  #showSlot(moment, at) {
    const { slot, "slot-title": title, "slot-label": label, "slot-time": time, "slot-before": before } = this.#parts;
    const { running } = moment;
    const lengthNs = running ? moment.ns - running.sinceNs : 0;
    const isBlocked = running !== null && lengthNs >= at.stallNs;
    slot.dataset.slot = isBlocked ? "blocked" : running ? "running" : "idle";
    tint(this.#parts["slot-tint"], running?.request ?? 0);
    setText(title, running ? at.nameOf(running.request) || running.what || "a callback" : at.silence.title);
    setText(label, running ? running.place || (running.request ? running.what : "a callback of the loop") : at.silence.words);
    setText(time, running ? formatDuration(lengthNs) : "");
    resizeChildren(before, moment.before.length, makeRun);
    moment.before.forEach((run, i) => {
      const [dot, name, length] = before.children[i].children;
      tint(/** @type {HTMLElement} */ (dot), run.request);
      setText(name, at.nameOf(run.request) || `#${run.request}`);
      setText(length, formatDuration(run.untilNs - run.sinceNs));
    });
  }
}

/** Marks that are nobody's, behind those that are somebody's. */
function showNameless(box, count) {
  const marks = [...box.querySelectorAll(".nameless")];
  while (marks.length > count) marks.pop()?.remove();
  while (marks.length < count) {
    const mark = box.appendChild(make("i", "being nameless"));
    mark.dataset.form = "dot";
    mark.dataset.state = box.dataset.queue === "ready" ? "ready" : "outside";
    marks.push(mark);
  }
}

/**
 * The sheet's own sizes tell how many fit: they stay in the sheet.
 * @returns {Room}
 */
function measureRoom(box) {
  const style = getComputedStyle(box);
  const px = (name) => Number.parseFloat(style.getPropertyValue(name));
  const gapPx = Number.parseFloat(style.rowGap);
  const fit = (lengthPx, onePx) => Math.max(Math.floor((lengthPx + gapPx) / (onePx + gapPx)), 1);
  const { clientWidth: widthPx, clientHeight: heightPx } = box;
  const rowPx = px("--chip-row");
  return {
    columns: fit(widthPx, px("--chip")),
    rows: fit(heightPx, rowPx),
    dots: (rows) =>
      fit(widthPx, px("--dot")) * fit(heightPx - rows * (rowPx + gapPx), px("--dot")),
  };
}

function makeRun() {
  return make("li", "", make("i", "tint"), make("span", ""), make("small", ""));
}

/** Of what not everybody knows, it can be asked. */
function headOf(reason) {
  return make("b", "", Object.hasOwn(MEANINGS, reason) ? makeWord(reason, reason) : "");
}

function keyOf({ reason, isTasks }) {
  return isTasks ? `${reason} of tasks` : reason;
}

function noteOf({ beings, state }, ns) {
  const first = beings[0];
  const more = beings.length > MAX_DOTS ? `, ${countOf(beings.length - MAX_DOTS, "more", "more")} not drawn` : "";
  if (first && Number.isFinite(first.untilNs) && first.untilNs > ns) {
    return `${beings.length > 1 ? "next" : "goes on"} in ${formatDuration(first.untilNs - ns)}${more}`;
  }
  const oldest = Math.min(...beings.map((being) => being.sinceNs));
  return beings.length && state ? `for ${formatDuration(ns - oldest)}${more}` : "";
}
