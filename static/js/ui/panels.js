// @ts-check

// Everything around the timeline, refreshed together and less often than it: words that change sixty
// times a second cannot be read.

import { formatDuration, formatLane } from "../format.js";
import { momentAt } from "../model/moment.js";
import { BoxesView } from "./boxes.js";
import { FindingsView } from "./findings.js";
import { part, setText } from "./parts.js";
import { RequestsView } from "./requests.js";
import { StatusView, lampOf, sentencesOf, worstLoop } from "./status.js";

const REFRESH_MS = 66;

export class Panels {
  #root;
  #stage;
  #status;
  #boxes;
  #findings;
  #requests;
  #shownMs = -Infinity;
  #shownState = "";
  #parts;

  /**
   * @param {HTMLElement} root
   * @param {object} stage
   * @param {import("../model/history.js").History} stage.history
   * @param {import("../view/viewport.js").Viewport} stage.viewport
   * @param {import("./timeline.js").TimelineView} stage.timeline
   * @param {import("../stream.js").Stream} stage.stream
   * @param {import("./triggers.js").TriggersView} stage.triggers
   * @param {ReturnType<typeof import("../input/actions.js").makeActions>} stage.actions
   * @param {AbortSignal} signal
   */
  constructor(root, stage, signal) {
    this.#root = root;
    this.#stage = stage;
    const { actions, viewport } = stage;
    this.#status = new StatusView(root);
    this.#boxes = new BoxesView(root, (lane) => viewport.select(lane), signal);
    this.#findings = new FindingsView(
      root,
      (stall) => {
        const endNs = stall.start_ns + stall.duration_ms * 1e6;
        const airNs = stall.duration_ms * 0.35e6;
        actions.showStretch(stall.start_ns - airNs, endNs + airNs);
      },
      signal,
    );
    this.#requests = new RequestsView(root, actions.selectRequest, signal);
    this.#parts = Object.fromEntries(
      ["hold", "range", "tasks", "selection", "announcer", "empty-range"].map((name) => [name, part(root, name)]),
    );
  }

  /**
   * @param {number} nowMs
   * @param {number} latestNs
   * @param {"connecting" | "live" | "paused" | "lost"} state
   * @param {string} failure what broke last, in words
   */
  show(nowMs, latestNs, state, failure) {
    const { history, viewport, stream, triggers, timeline } = this.#stage;
    if (nowMs - this.#shownMs < REFRESH_MS && state === this.#shownState) return;
    this.#shownMs = nowMs;
    this.#shownState = state;
    const loop = worstLoop(history.loops);
    const run = loop?.state === "blocked" ? loop.running : null;
    const grownMs = run ? Math.max((latestNs - run.since_ns) / 1e6, loop?.blocked_ms ?? 0) : 0;
    const blockedMs = grownMs || (loop?.blocked_ms ?? 0);
    this.#status.showLamp(lampOf(state, loop, blockedMs), history.loops.length);
    this.#status.showSentences(sentencesOf(history, stream, failure));
    this.#findings.show(history, triggers.scenarios);
    this.#status.showNumbers(loop, this.#showBoxes(latestNs, loop));
    const selected = timeline.selected();
    this.#requests.show(history, nowMs, selected?.lane.request ?? null);
    this.#showBar(state, viewport, timeline);
    const isFirst = history.counts.requests === 0;
    this.#root.dataset.rows = timeline.hasRows ? "some" : isFirst ? "never" : "none";
    const wide = formatDuration(viewport.rangeNs).replace(/\.0+(?=\D)/, "");
    setText(this.#parts["empty-range"], `Nothing in the last ${wide}.`);
  }

  /** For the keyboard: what the tooltip tells the pointer. */
  saySelection(words) {
    if (words) setText(this.#parts.announcer, sentenceOf(words));
  }

  /** Held, the boxes show the moment under the pointer, else the right edge of the picture. */
  #showBoxes(latestNs, loop) {
    const { history, viewport, timeline } = this.#stage;
    const shownNs = viewport.shownNs(latestNs);
    const { pointer, isLive } = viewport;
    const isPointed = !isLive && pointer && pointer.xPx > timeline.scale.leftPx;
    const ns = isPointed ? Math.min(timeline.scale.toNs(pointer.xPx), shownNs) : shownNs;
    const ago = latestNs - ns;
    const when = isLive ? "now" : `${formatDuration(ago)} ago`;
    const moment = momentAt(history.lanes, (i) => history.text(i), loop?.id ?? -1, ns);
    const nameOf = (request) => {
      const lane = request ? history.lanes.ofRequest(request) : null;
      return lane ? formatLane(request, lane.label) : "";
    };
    this.#boxes.show(moment, { stallNs: history.stallNs, when, nameOf });
    return moment;
  }

  #showBar(state, viewport, timeline) {
    const { hold, range, tasks, selection } = this.#parts;
    const isHeld = state === "paused";
    setText(hold, isHeld ? "Back to live" : "Pause");
    const width = formatDuration(viewport.rangeNs).replace(/\.0+(?=\D)/, "");
    setText(range, viewport.isLive ? `last ${width}` : `${width} wide`);
    const hidden = timeline.hiddenTasks;
    tasks.hidden = !hidden && !viewport.showsTasks;
    setText(tasks, viewport.showsTasks ? "hide tasks" : `+${hidden} ${hidden === 1 ? "task" : "tasks"}`);
    tasks.setAttribute("aria-pressed", String(viewport.showsTasks));
    const words = timeline.words();
    setText(selection, words ? sentenceOf(words) : "");
    this.#root.dataset.selection = words ? "some" : "none";
  }
}

function sentenceOf({ name, words, info, length }) {
  return `${name}, ${length}: ${words}${info ? `  ·  ${info}` : ""}`;
}
