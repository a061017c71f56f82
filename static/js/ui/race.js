// @ts-check

// Two variants of a story on one axis: sent one after the other, so that neither disturbs the other,
// drawn below each other from the moment at which each was sent. Rows are the page's own records.

import { PLAIN_TICKS } from "../draw/detail-level.js";
import { drawSlices } from "../draw/slices.js";
import { countOf, formatMs } from "../format.js";
import { press } from "../press.js";
import { Scale } from "../view/scale.js";
import { make, part, setText } from "./parts.js";

const MAX_ROW_PX = 16;
const TICKS = 5;
/** Less of a difference is none: two presses of the same differ by as much. */
const CLEARLY = 1.25;
/** What is told of both, when one of them has it: name of the fact, words. Times are the worst ones. */
const NUMBERS = [
  ["wall_ms", "until all were answered"],
  ["slowest_ms", "slowest request to the handler"],
  ["others_slowest_ms", "slowest of the others"],
  ["held_ms", "longest that one of the others waited for the loop"],
  ["blocked_ms", "longest that one step held the loop"],
  ["threads", "trips to a thread, per request"],
  ["tasks", "more tasks, per request"],
  ["tokens", "requests that waited for a thread token"],
  ["foreign_ms", "not counted: something else held the loop"],
];

/** @typedef {{scenario: import("./triggers.js").Scenario, outcome: import("../press.js").Outcome | null}} Runner */

export class RaceView {
  #dialog;
  #root;
  #history;
  #paramsOf;
  #palette;
  #signal;
  #choices;
  #start;
  #isRunning = false;
  /** @type {import("./triggers.js").Scenario[]} */
  #scenarios = [];
  /** @type {Runner[]} */
  #runners = [];

  /**
   * @param {HTMLElement} root
   * @param {object} stage
   * @param {import("../model/history.js").History} stage.history
   * @param {(scenario: import("./triggers.js").Scenario) => Record<string, number>} stage.paramsOf
   * @param {() => import("../theme.js").Palette} stage.palette
   * @param {AbortSignal} signal
   */
  constructor(root, { history, paramsOf, palette }, signal) {
    this.#root = root;
    this.#history = history;
    this.#paramsOf = paramsOf;
    this.#palette = palette;
    this.#signal = signal;
    this.#dialog = /** @type {HTMLDialogElement} */ (part(root, "race"));
    this.#choices = ["race-one", "race-two"].map((name) => /** @type {HTMLSelectElement} */ (part(root, name)));
    this.#start = /** @type {HTMLButtonElement} */ (part(root, "race-start"));
    this.#start.addEventListener("click", () => this.#run(), { signal });
    for (const choice of this.#choices) choice.addEventListener("change", () => this.#reset(), { signal });
  }

  /**
   * @param {import("./triggers.js").Scenario[]} scenarios
   * @param {string} title
   */
  show(scenarios, title) {
    if (scenarios.length < 2) return;
    this.#scenarios = scenarios;
    setText(part(this.#root, "race-title"), title.replaceAll("`", ""));
    this.#choices.forEach((choice, i) => {
      const options = scenarios.map((each) => {
        const option = /** @type {HTMLOptionElement} */ (make("option", "", each.title));
        option.value = each.id;
        return option;
      });
      choice.replaceChildren(...options);
      choice.selectedIndex = i;
    });
    this.#reset();
    this.#dialog.showModal();
    this.#draw();
  }

  #reset() {
    this.#runners = this.#choices.map((choice) => ({
      scenario: this.#scenarios[choice.selectedIndex],
      outcome: null,
    }));
    setText(part(this.#root, "race-note"), "");
    this.#draw();
  }

  async #run() {
    if (this.#isRunning) return;
    this.#reset();
    this.#isRunning = this.#start.disabled = true;
    try {
      for (const runner of this.#runners) {
        const look = (outcome) => {
          runner.outcome = outcome;
          this.#draw();
        };
        const params = this.#paramsOf(runner.scenario);
        const outcome = await press(runner.scenario.id, params, this.#signal, look);
        if (outcome.trouble) throw new Error(outcome.trouble);
      }
    } catch (error) {
      if (!this.#signal.aborted) setText(part(this.#root, "race-note"), /** @type {Error} */ (error).message);
    }
    this.#isRunning = this.#start.disabled = false;
    this.#draw();
  }

  /** Both on the axis of the longer one. */
  #draw() {
    const longestNs = Math.max(...this.#runners.map(lengthNs));
    const spanNs = Math.max(1e6, longestNs) * 1.02;
    this.#runners.forEach((runner, i) => {
      setText(part(this.#root, `race-name-${i}`), runner.scenario.title);
      setText(part(this.#root, `race-head-${i}`), runner.scenario.title);
      const requests = runner.outcome?.requests ?? [];
      setText(part(this.#root, `race-count-${i}`), requests.length ? countOf(requests.length, "request") : "");
      this.#drawRunner(part(this.#root, `race-canvas-${i}`), runner, spanNs);
    });
    // Before they are sent there is nothing to measure.
    const ticks = longestNs ? TICKS + 1 : 0;
    const marks = Array.from({ length: ticks }, (_, i) => make("span", "", i ? formatMs((spanNs * i) / TICKS / 1e6) : "0"));
    part(this.#root, "race-axis").replaceChildren(...marks);
    part(this.#root, "race-numbers").replaceChildren(...this.#rows());
  }

  #drawRunner(canvas, runner, spanNs) {
    const ratio = Math.max(1, globalThis.devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const requests = [...(runner.outcome?.requests ?? [])].sort((one, other) => Number(one.is_other) - Number(other.is_other) || one.start_ns - other.start_ns);
    if (!requests.length) return;
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    const { fills } = this.#palette();
    const beginNs = Math.min(...requests.map((each) => each.start_ns));
    const scale = new Scale(beginNs, spanNs, 0, width);
    const pitchPx = Math.min(MAX_ROW_PX, height / requests.length);
    const at = { nowNs: this.#history.tNs, stallNs: this.#history.stallNs, columnPx: 2, showsIdle: false, ticks: PLAIN_TICKS };
    requests.forEach((request, i) => {
      const lane = this.#history.lanes.ofRequest(request.id);
      if (!lane) return;
      const heightPx = Math.max(1, pitchPx - (pitchPx > 4 ? 2 : 0.5));
      drawSlices(ctx, lane.spans, scale, { topPx: i * pitchPx, heightPx, pitchPx }, fills, at);
    });
  }

  #rows() {
    const facts = this.#runners.map(({ outcome }) => (outcome?.done ? outcome.facts : {}));
    const told = NUMBERS.filter(([name]) => facts.some((each) => Number(each[name]) > 0));
    return told.map(([name, words]) => {
      const values = facts.map((each) => each[name]);
      const numbers = values.map((value) => Number(value ?? 0));
      const least = Math.min(...numbers);
      const isClear = Math.max(...numbers) > CLEARLY * least;
      const cells = values.map((value, i) => {
        const cell = make("td", "", facts[i].count === undefined ? "–" : numberOf(name, value));
        cell.dataset.least = String(isClear && numbers[i] === least);
        return cell;
      });
      const head = make("th", "", words);
      head.setAttribute("scope", "row");
      return make("tr", "", head, ...cells);
    });
  }
}

/** @param {Runner} runner */
function lengthNs({ outcome }) {
  const requests = outcome?.requests ?? [];
  if (!requests.length) return 0;
  const begin = Math.min(...requests.map((each) => each.start_ns));
  return Math.max(...requests.map((each) => each.end_ns || each.start_ns)) - begin;
}

function numberOf(name, value) {
  if (value === null || value === undefined) return "not at all";
  return name.endsWith("_ms") ? formatMs(Number(value)) : String(value);
}
