// @ts-check

// The loop, drawn as four boxes: at the door → ready → running → waiting. Draws one Moment; elements
// are made once and used again.

import { formatCount, formatDuration, formatLane } from "../format.js";
import { DUE, STATES, TASK_LANE } from "../wire.js";
import { make, part, resizeChildren, setText } from "./parts.js";

const MAX_DOTS = 40;

export class BoxesView {
  #door;
  #ready;
  #slot;
  #slotTitle;
  #slotLabel;
  #slotTime;
  #groups;
  #counts;
  #when;
  #signal;
  #onSelect;

  /**
   * @param {ParentNode} root
   * @param {(lane: number) => void} onSelect
   * @param {AbortSignal} signal
   */
  constructor(root, onSelect, signal) {
    this.#door = part(root, "door");
    this.#ready = part(root, "ready");
    this.#slot = part(root, "slot");
    this.#slotTitle = part(root, "slot-title");
    this.#slotLabel = part(root, "slot-label");
    this.#slotTime = part(root, "slot-time");
    this.#groups = part(root, "waiting-groups");
    this.#when = part(root, "boxes-when");
    this.#signal = signal;
    this.#onSelect = onSelect;
    this.#counts = Object.fromEntries(
      ["door", "ready", "waiting"].map((name) => [name, part(root, `count-${name}`)]),
    );
    for (const list of [this.#door, this.#ready]) {
      list.addEventListener("click", (event) => this.#click(event), { signal });
    }
  }

  /**
   * @param {import("../model/moment.js").Moment} moment
   * @param {{stallNs: number, when: string, nameOf: (request: number) => string}} at
   */
  show(moment, at) {
    setText(this.#when, at.when);
    setText(this.#counts.door, formatCount(moment.door.length));
    setText(this.#counts.ready, formatCount(moment.ready.length));
    setText(this.#counts.waiting, formatCount(moment.waitingCount));
    showChips(this.#door, moment.door);
    showChips(this.#ready, moment.ready);
    this.#showSlot(moment.running, at);
    this.#showWaiting(moment.waiting);
  }

  #showSlot(running, at) {
    const isBlocked = running !== null && !running.isOver && running.lengthNs >= at.stallNs;
    this.#slot.dataset.slot = isBlocked ? "blocked" : running ? "running" : "idle";
    if (!running) {
      setText(this.#slotTitle, "Nobody");
      setText(this.#slotLabel, "the loop waits for something to do");
      setText(this.#slotTime, "");
      return;
    }
    setText(this.#slotTitle, at.nameOf(running.request) || running.label);
    setText(this.#slotLabel, running.request ? running.label : "");
    setText(this.#slotTime, formatDuration(running.lengthNs));
  }

  #showWaiting(groups) {
    resizeChildren(this.#groups, groups.length, makeGroup);
    groups.forEach((group, i) => {
      const [name, dots, note] = this.#groups.children[i].children;
      setText(name, group.reason);
      const shown = Math.min(group.lanes.length, MAX_DOTS);
      resizeChildren(dots, shown, () => make("i", "dot"));
      for (let k = 0; k < shown; k += 1) {
        const state = STATES[k < group.due ? DUE : group.state];
        const dot = /** @type {HTMLElement} */ (dots.children[k]);
        if (dot.dataset.state !== state) dot.dataset.state = state;
        dot.classList.toggle("dot-other", group.lanes[k].kind === TASK_LANE);
      }
      setText(note, noteOf(group));
    });
  }

  #click(event) {
    const chip = /** @type {HTMLElement} */ (event.target).closest("[data-lane]");
    if (chip) this.#onSelect(Number(/** @type {HTMLElement} */ (chip).dataset.lane));
  }
}

/** As many chips as the box has room for; the rest as a number. */
function showChips(list, places) {
  const room = roomFor(list);
  const fits = places.length <= room;
  const shown = fits ? places.length : Math.max(room - 1, 0);
  resizeChildren(list, shown + (fits ? 0 : 1), () => make("button", "chip"));
  places.slice(0, shown).forEach(({ lane }, i) => {
    const chip = /** @type {HTMLElement} */ (list.children[i]);
    setText(chip, lane.request ? `#${lane.request}` : lane.label);
    chip.dataset.lane = String(lane.id);
    chip.title = formatLane(lane.request, lane.label);
    delete chip.dataset.more;
  });
  if (fits) return;
  const more = /** @type {HTMLElement} */ (list.children[shown]);
  setText(more, `+${formatCount(places.length - shown)}`);
  delete more.dataset.lane;
  more.title = "";
  more.dataset.more = "";
}

/** The grid's own columns tell how many fit: sizes stay in the style sheet. */
function roomFor(list) {
  const style = getComputedStyle(list);
  const columns = style.gridTemplateColumns.split(" ").length;
  const rowPx = Number.parseFloat(style.gridAutoRows) + Number.parseFloat(style.rowGap);
  return Math.max(columns * Math.floor((list.clientHeight + 6) / rowPx), 1) || 1;
}

function makeGroup() {
  return make("li", "group", make("b", ""), make("span", "dots"), make("small", ""));
}

function noteOf({ due, lanes }) {
  const more = lanes.length > MAX_DOTS ? `${formatCount(lanes.length)} in all. ` : "";
  if (due) return `${more}${due === 1 ? "1 is" : `${due} are`} due: the loop has not looked`;
  return more.trim();
}
