// @ts-check

// The line above the timeline: how wide it is, which rows it shows, and the field that filters them.
// Enter in the field goes to the next slice that has the words.

import { countOf, formatRound } from "../format.js";
import { nextMatch } from "../model/search.js";
import { GROUPING_WORDS } from "../view/choice.js";
import { part, setText } from "./parts.js";

export class Bar {
  #root;
  #stage;
  #parts;
  #field;
  /** How many requests there were when the picture was held. */
  #heldRequests = 0;

  /**
   * @param {HTMLElement} root
   * @param {object} stage
   * @param {import("../model/history.js").History} stage.history
   * @param {import("../view/viewport.js").Viewport} stage.viewport
   * @param {import("../view/choice.js").Choice} stage.choice
   * @param {import("./timeline.js").TimelineView} stage.timeline
   * @param {ReturnType<typeof import("../input/actions.js").makeActions>} stage.actions
   * @param {AbortSignal} signal
   */
  constructor(root, stage, signal) {
    this.#root = root;
    this.#stage = stage;
    const { actions, choice } = stage;
    const names = ["range", "age", "tasks", "group", "just-now", "search-note", "since"];
    this.#parts = Object.fromEntries(names.map((name) => [name, part(root, name)]));
    this.#field = /** @type {HTMLInputElement} */ (part(root, "filter"));
    this.#parts.tasks.addEventListener("click", actions.toggleTasks, { signal });
    this.#parts.group.addEventListener("click", actions.group, { signal });
    this.#parts["just-now"].addEventListener("click", actions.justNow, { signal });
    this.#parts.since.addEventListener("click", actions.goLive, { signal });
    this.#field.addEventListener("input", () => choice.setFilter(this.#field.value), { signal });
    this.#field.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#field.addEventListener("blur", () => this.#close(), { signal });
  }

  /** Open the field and go there. */
  search() {
    this.#root.dataset.search = "open";
    this.#field.focus();
    this.#field.select();
  }

  /** @param {number} latestNs */
  show(latestNs) {
    const { viewport, timeline, choice } = this.#stage;
    const { range, age, tasks, group } = this.#parts;
    const width = formatRound(viewport.rangeNs);
    setText(range, viewport.isLive ? `last ${width}` : `${width} wide`);
    const isAgeless = viewport.isLive || viewport.whole;
    setText(age, isAgeless ? "" : agoInWords(latestNs - viewport.momentNs(latestNs)));
    const hidden = timeline.hiddenTasks;
    tasks.hidden = !hidden && !choice.showsTasks;
    setText(tasks, choice.showsTasks ? "hide tasks" : `+${countOf(hidden, "task")}`);
    tasks.setAttribute("aria-pressed", String(choice.showsTasks));
    setText(group, GROUPING_WORDS[choice.grouping]);
    if (document.activeElement !== this.#field && this.#field.value !== choice.filter) {
      this.#field.value = choice.filter;
    }
    this.#showSince();
    const isOpen = choice.filter || document.activeElement === this.#field;
    this.#root.dataset.search = isOpen ? "open" : "closed";
    const { filtered } = timeline;
    setText(this.#parts["search-note"], choice.filter && filtered ? `${countOf(filtered, "row")} hidden` : "");
  }

  /** A button that was pressed while the picture is held has done something, out of sight. */
  #showSince() {
    const { viewport, history } = this.#stage;
    const { whole } = viewport;
    if (whole) {
      this.#parts.since.hidden = viewport.showsAll;
      setText(this.#parts.since, `All ${formatRound(whole.endNs - whole.startNs)} of it`);
      return;
    }
    const { requests } = history.counts;
    if (viewport.isLive || this.#heldRequests > requests) this.#heldRequests = requests;
    const since = requests - this.#heldRequests;
    this.#parts.since.hidden = since === 0;
    if (since) setText(this.#parts.since, `${countOf(since, "request")} since · back to now`);
  }

  #key(event) {
    if (event.key === "Escape") {
      this.#stage.choice.setFilter("");
      this.#field.value = "";
      this.#field.blur();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#find(event.shiftKey ? -1 : 1);
    }
  }

  #find(step) {
    const { history, viewport, choice, timeline, actions } = this.#stage;
    const from = viewport.selection ?? { lane: 0, startNs: timeline.scale.startNs };
    const at = { lane: from.lane, startNs: from.startNs ?? timeline.scale.startNs };
    const found = nextMatch(history.lanes.all, history.strings, choice.filter, at, step);
    if (found) actions.selectSpan(found.lane, found.startNs);
  }

  #close() {
    if (!this.#stage.choice.filter) this.#root.dataset.search = "closed";
  }
}

/** How old a held picture is; in whole seconds, or it would never stand still. */
function agoInWords(ns) {
  return ns < 1e9 ? "held just now" : `held ${formatRound(Math.floor(ns / 1e9) * 1e9)} ago`;
}
