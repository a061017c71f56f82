// @ts-check

// The card of a marked stretch: its length, where the loop's and the requests' time went, and the runs
// that took most of it. A click on one goes there.

import { countOf, formatDuration, formatLane, formatPercent } from "../format.js";
import { totalsOf } from "../model/totals.js";
import { BLOCKED, GONE, IDLE, RUNNING, STATES, readInfo } from "../wire.js";
import { make, part, setText } from "./parts.js";

const WORDS = Object.freeze({
  idle: "idle",
  running: "running",
  ready: "ready",
  due: "due",
  waiting: "waiting",
  thread_queue: "for a thread",
  thread: "in a thread",
  process: "in a process",
  outside: "at the door",
  lost: "unknown",
  blocked: "blocked",
});

export class AreaCard {
  #box;
  #title;
  #loop;
  #count;
  #requests;
  #culprits;
  #key = "";

  /**
   * @param {ParentNode} root
   * @param {{selectSpan: (lane: number, startNs: number) => void, fit: () => void, clear: () => void}} actions
   * @param {AbortSignal} signal
   */
  constructor(root, actions, signal) {
    this.#box = part(root, "area");
    this.#title = part(root, "area-title");
    this.#loop = part(root, "area-loop");
    this.#count = part(root, "area-count");
    this.#requests = part(root, "area-requests");
    this.#culprits = part(root, "area-culprits");
    part(root, "area-fit").addEventListener("click", actions.fit, { signal });
    part(root, "area-clear").addEventListener("click", actions.clear, { signal });
    this.#culprits.addEventListener(
      "click",
      (event) => {
        const row = /** @type {HTMLElement} */ (event.target).closest("[data-lane]");
        const { lane, startNs } = /** @type {HTMLElement} */ (row)?.dataset ?? {};
        if (lane && startNs) actions.selectSpan(Number(lane), Number(startNs));
      },
      { signal },
    );
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {{startNs: number, endNs: number} | null} area
   * @param {number} nowNs
   */
  show(history, area, nowNs) {
    this.#box.hidden = !area;
    if (!area) {
      this.#key = "";
      return;
    }
    // What is over does not change: it is summed up once.
    const key = `${area.startNs} ${area.endNs} ${area.endNs > nowNs ? nowNs : ""}`;
    if (key === this.#key) return;
    this.#key = key;
    const totals = totalsOf(history.lanes.all, area, nowNs, history.stallNs);
    setText(this.#title, formatDuration(totals.lengthNs));
    this.#loop.replaceChildren(...this.#shares(splitBlocked(totals), totals.loops * totals.lengthNs, true));
    const sum = totals.requestNs.reduce((all, ns) => all + ns, 0);
    setText(this.#count, `${countOf(totals.requests, "request")}${totals.requests > 1 ? ", together" : ""}`);
    this.#requests.replaceChildren(...this.#shares(totals.requestNs, sum, false));
    this.#culprits.replaceChildren(...totals.culprits.map((culprit) => culpritRow(history, culprit)));
  }

  #shares(sums, wholeNs, withShare) {
    return [...sums.entries()]
      .filter(([state, ns]) => state !== GONE && ns > 0)
      .sort(([, one], [, other]) => other - one)
      .map(([state, ns]) => {
        const name = state === BLOCKED ? "blocked" : STATES[state];
        const row = make("li", "", make("span", "", WORDS[name]), make("b", "", formatDuration(ns)));
        if (withShare) row.append(make("small", "", formatPercent(ns / wholeNs, state === IDLE ? 0 : 1)));
        row.dataset.state = name;
        return row;
      });
  }
}

function splitBlocked(totals) {
  const sums = [...totals.loopNs, totals.blockedNs];
  sums[RUNNING] -= totals.blockedNs;
  return sums;
}

function culpritRow(history, culprit) {
  const { what, place } = readInfo(history.text(culprit.info));
  // Runs of several requests of one route are told as the route.
  const label = formatLane(culprit.count === 1 ? culprit.who : 0, what);
  const row = make(
    "button",
    "area-culprit",
    make("span", "", place || label || "callback"),
    make("b", "", formatDuration(culprit.ns)),
    make("small", "", countOf(culprit.count, "run")),
  );
  row.title = `The longest: ${formatDuration(culprit.longestNs)}`;
  row.dataset.lane = String(culprit.lane);
  row.dataset.startNs = String(culprit.longestStartNs);
  return make("li", "", row);
}
