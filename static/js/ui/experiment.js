// @ts-check

// The experiment: choose, start, watch, stop; throughput against users beside the timeline that
// shows why the curve bends. The load comes from a process of its own, and tells all it knows
// each time; this keeps the last of that and draws it.

import { drawThroughput, markPath } from "../draw/throughput.js";
import { countOf, formatCount, formatMs, formatPercent, formatRound } from "../format.js";
import { make, makeWord, part, setText } from "./parts.js";
import { sentenceOf } from "./refusal.js";

const MARK_PX = 16;
const WORDS = { users: "users", spawn_rate: "a second", seconds: "s each" };

export class ExperimentView {
  #root;
  #signal;
  #chart;
  /** @type {EventSource | null} */
  #source = null;
  /** @type {any} what can be chosen, from the server */
  #choices = null;
  #told = /** @type {any} */ (null);
  #pending = false;

  /**
   * @param {HTMLElement} root
   * @param {AbortSignal} signal
   */
  constructor(root, signal) {
    this.#root = root;
    this.#signal = signal;
    this.#chart = part(root, "experiment-chart");
    const observer = new ResizeObserver(() => this.#invalidate());
    observer.observe(/** @type {Element} */ (this.#chart.parentElement));
    signal.addEventListener("abort", () => (observer.disconnect(), this.#close()), { once: true });
    const listen = (name, kind, act) => part(root, name).addEventListener(kind, act, { signal });
    listen("experiment-form", "submit", (event) => (event.preventDefault(), this.#start()));
    listen("experiment-form", "input", () => this.#say(this.#forecast, "time"));
    listen("experiment-stop", "click", () => this.#send("DELETE"));
    listen("experiment-close", "click", () => this.toggle(false));
  }

  get isOpen() {
    return "experiment" in this.#root.dataset;
  }

  /** @param {boolean} [isOpen] the other way round when left out */
  toggle(isOpen = !this.isOpen) {
    // Without a demo app there is nobody to send load to.
    if (part(this.#root, "open-experiment").hidden) return;
    if (isOpen) this.#root.dataset.experiment = "";
    else delete this.#root.dataset.experiment;
    part(this.#root, "open-experiment").setAttribute("aria-pressed", String(isOpen));
    if (isOpen) this.#open();
    else this.#close();
  }

  /** The style changed: sizes and so places are others. */
  restyle() {
    this.#invalidate();
  }

  async #open() {
    try {
      if (!this.#choices) {
        const response = await fetch("/api/experiment", { signal: this.#signal });
        if (!response.ok) throw new Error(await sentenceOf(response));
        this.#choices = await response.json();
        this.#showChoices();
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#say(/** @type {Error} */ (error).message, "warn");
      return;
    }
    if (!this.isOpen || this.#source) return;
    const source = new EventSource("/api/experiment/events");
    this.#source = source;
    const options = { signal: this.#signal };
    for (const name of ["idle", "starting", "progress", "report", "failed"]) {
      source.addEventListener(name, (event) => this.#hear(name, event.data), options);
    }
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #hear(name, data) {
    this.#setRunning(name === "starting" || name === "progress");
    if (name === "starting") {
      this.#told = null;
      /** @type {HTMLSelectElement} */ (part(this.#root, "experiment-preset")).value = data;
      this.#say("Starting …");
    } else if (name === "failed") {
      this.#say(data, "warn");
    } else if (name === "progress") {
      this.#told = JSON.parse(data);
      this.#say(progressInWords(this.#told), "time");
    } else if (name === "report") {
      const { report } = JSON.parse(data);
      const { points } = report;
      const variants = report.variants.map((variant) => ({
        ...variant,
        points: points.filter((point) => point.variant === variant.name),
      }));
      this.#told = { variants, ideals: report.ideals, users: report.plan.users };
      this.#say("");
      const words = reportWords(report).map((word) => (typeof word === "string" ? word : makeWord(word.means, word.text)));
      part(this.#root, "experiment-line").replaceChildren(...words);
    }
    part(this.#root, "experiment-save").hidden = name !== "report";
    this.#invalidate();
  }

  async #start() {
    const form = /** @type {HTMLFormElement} */ (part(this.#root, "experiment-form"));
    /** @type {Record<string, string | number>} */
    const order = { preset: this.#preset.value };
    for (const input of form.querySelectorAll("input")) order[input.name] = input.valueAsNumber;
    await this.#send("POST", order);
  }

  /** @param {string} method @param {Record<string, string | number>} [order] */
  async #send(method, order) {
    const headers = { "Content-Type": "application/json" };
    const body = order && JSON.stringify(order);
    try {
      const options = { method, headers, body, signal: this.#signal };
      const response = await fetch("/api/experiment", options);
      if (!response.ok) this.#say(await sentenceOf(response), "warn");
    } catch (error) {
      if (!this.#signal.aborted) this.#say(`The dashboard did not answer (${/** @type {Error} */ (error).message}).`, "warn");
    }
  }

  get #preset() {
    return /** @type {HTMLSelectElement} */ (part(this.#root, "experiment-preset"));
  }

  /** How long the chosen one takes, and what it may spend. */
  get #forecast() {
    const preset = this.#choices.presets.find(({ id }) => id === this.#preset.value);
    const seconds = /** @type {HTMLInputElement} */ (this.#root.querySelector(".experiment input[name=seconds]"));
    if (!preset || !seconds.validity.valid) return "";
    return `${forecastInWords(preset, seconds.valueAsNumber)} ${preset.note}`.trim();
  }

  #showChoices() {
    const { presets, preset, fields } = this.#choices;
    const options = presets.map(({ id, title }) => {
      const option = /** @type {HTMLOptionElement} */ (make("option", "", title));
      option.value = id;
      return option;
    });
    this.#preset.replaceChildren(...options);
    this.#preset.value = preset;
    const inputs = fields.map(({ name, min, max, default: usual }) => {
      const input = /** @type {HTMLInputElement} */ (make("input", ""));
      Object.assign(input, { type: "number", name, min, max, value: usual, required: true });
      return make("label", "", input, make("span", "", WORDS[name] ?? name));
    });
    part(this.#root, "experiment-fields").replaceChildren(...inputs);
    this.#say(this.#forecast, "time");
  }

  #setRunning(isRunning) {
    part(this.#root, "experiment-start").hidden = isRunning;
    part(this.#root, "experiment-stop").hidden = !isRunning;
    const fields = /** @type {HTMLFieldSetElement} */ (part(this.#root, "experiment-choice"));
    fields.disabled = isRunning;
  }

  #say(words, tone = "") {
    const line = part(this.#root, "experiment-line");
    setText(line, words);
    line.dataset.tone = tone;
  }

  #invalidate() {
    if (this.#pending || !this.isOpen) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.#draw();
    });
  }

  /** What was told, each line with its colour. */
  get #series() {
    const known = this.#choices?.presets.flatMap((preset) => preset.variants) ?? [];
    const byName = new Map(known.map((variant) => [variant.name, variant]));
    const variants = this.#told?.variants ?? [];
    return variants.map((each) => ({ ...each, state: "running", ...byName.get(each.name) }));
  }

  #draw() {
    const box = /** @type {Element} */ (this.#chart.parentElement);
    const { clientWidth: widthPx, clientHeight: heightPx } = box;
    if (!this.isOpen || widthPx < 1 || heightPx < 1) return;
    const textPx = Number.parseFloat(getComputedStyle(this.#chart).fontSize);
    this.#chart.setAttribute("viewBox", `0 0 ${widthPx} ${heightPx}`);
    const series = this.#series;
    const hasPoints = series.some(({ points }) => points.length);
    part(this.#root, "experiment-empty").hidden = hasPoints;
    const experiment = { series, ideals: this.#told?.ideals ?? [], users: this.#told?.users ?? 1 };
    const drawn = hasPoints ? drawThroughput(experiment, { widthPx, heightPx, textPx }) : [];
    this.#chart.replaceChildren(...drawn);
    const rows = series.map((each, i) => row(each, i, series[0]));
    part(this.#root, "experiment-rows").replaceChildren(...rows);
    const table = part(this.#root, "experiment-table");
    table.hidden = !hasPoints;
    table.toggleAttribute("data-published", series.some(({ published_rps }) => published_rps));
  }
}

function row({ name, state, points, totals, published_rps }, number, first) {
  const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  key.setAttribute("class", "chart-key");
  key.setAttribute("viewBox", `0 0 ${MARK_PX} ${MARK_PX}`);
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "path");
  mark.setAttribute("class", "chart-mark");
  mark.setAttribute("d", markPath(number, MARK_PX / 2, MARK_PX / 2, MARK_PX / 3));
  mark.dataset.state = state;
  key.append(mark);
  const head = make("th", "", key, name);
  head.setAttribute("scope", "row");
  const point = points[points.length - 1];
  const base = first.points[first.points.length - 1];
  const ratio = base?.rps && point ? (point.rps / base.rps).toFixed(2) : "–";
  const article = make("td", "", published_rps ? (published_rps / first.published_rps).toFixed(2) : "–");
  article.dataset.published = "";
  const failures = totals?.failures ?? points.reduce((sum, each) => sum + each.failures, 0);
  const cells = point
    ? [
        formatCount(Math.round(point.users)),
        formatCount(point.rps < 100 ? Math.round(point.rps * 10) / 10 : Math.round(point.rps)),
        ...[point.p50_ms, point.p95_ms, point.p99_ms].map((ms) => (ms === null ? "–" : formatMs(ms))),
        formatCount(failures),
        point.generator_limited ? `${formatPercent(point.generator_busy)} limit` : formatPercent(point.generator_busy),
      ]
    : Array(7).fill("–");
  const [users, rps, ...rest] = cells.map((cell) => make("td", "", cell));
  return make("tr", "", head, users, rps, make("td", "", ratio), article, ...rest);
}

/**
 * Before the start: a run is one variant after the other, and each is warmed up.
 * @param {{variants: readonly unknown[], turns: number, beside_s: number}} preset
 * @param {number} seconds of load, each turn
 */
export function forecastInWords({ variants, turns, beside_s }, seconds) {
  const rounds = turns / variants.length;
  const times = rounds > 1 ? ` × ${countOf(rounds, "turn")}` : "";
  const parts = `${countOf(variants.length, "variant")}${times} × (${seconds} s of load + ${beside_s} s to start and warm up)`;
  return `Takes ${aboutInWords(turns * (seconds + beside_s))}: ${parts}.`;
}

export function progressInWords({ variant, turn, turns, phase, elapsed_s, run_time_s, left_s }) {
  if (phase === "over" || phase === "stopped") return "Writing the report …";
  const does = phase === "loading" ? `${Math.floor(elapsed_s)} of ${run_time_s} s` : `${phase} …`;
  return `${variant}, ${turn} of ${turns}: ${does}${left_s > 0 ? ` · ${aboutInWords(left_s)} left` : ""}`;
}

/** No more exactly than it is known: what is under way at the end of a turn is waited for. */
function aboutInWords(seconds) {
  const step = seconds > 20 ? 5 : 1;
  return `about ${formatRound(Math.max(Math.round(seconds / step) * step, 1) * 1e9)}`;
}

/** @returns {(string | {means: string, text: string})[]} */
export function reportWords({ phase, variants }) {
  const known = variants.map(({ totals }) => totals.little?.deviation).filter((each) => each != null);
  const worst = known.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0);
  /** @type {(string | {means: string, text: string})[]} */
  const words = [phase === "stopped" ? "Stopped early. " : "Done. "];
  const failed = variants.flatMap(({ name, totals }) =>
    Object.entries(totals.failures_by_kind ?? {}).map(([kind, count]) => `${formatCount(count)} of ${name}: ${kind}`),
  );
  if (failed.length) words.push(`Failed: ${failed.join(", ")}. `);
  if (known.length) words.push({ means: "little", text: "Little's law" }, ` holds within ${formatPercent(Math.abs(worst), 1)}. `);
  words.push({ means: "closed", text: "Closed model" }, ": each user waits for its answer.");
  return words;
}
