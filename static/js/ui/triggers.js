// @ts-check

// The buttons: how many at once, one button a scenario, and the handler's source one click away. Says
// beforehand how long a press will hold the loop. Each press is a real request, sent by the dashboard
// process.

import { NBSP } from "../format.js";
import { make, part } from "./parts.js";
import { sentenceOf } from "./refusal.js";

const MESSAGE_MS = 8000;

/**
 * @typedef {{name: string, default: number, min: number, max: number, unit: string}} Param
 * @typedef {object} Scenario
 * @property {string} id @property {string} title @property {string} subtitle
 * @property {string} family @property {string} state @property {string} path
 * @property {Param[]} params
 * @property {Source} source @property {Source[]} helpers what the handler uses
 * @property {string | null} story @property {number} size
 * @property {{count: number, path: string} | null} others
 * @property {string | null} missing how to get what it needs
 * @typedef {{file: string, line: number, function: string, code: string}} Source
 */

/**
 * What several at once cost where each holds the loop: they come one after the other.
 * @param {Pick<Scenario, "state" | "params">} scenario
 * @param {Record<string, number>} values
 * @param {number} count
 * @param {number} mostS no press may hold it for longer
 * @returns {string} "20 × 2 s = 40 s blocked", or empty
 */
export function costInWords({ state, params }, values, count, mostS) {
  const timed = params.filter(({ unit }) => unit === "s");
  const eachS = timed.reduce((sum, { name }) => sum + values[name], 0);
  if (state !== "blocked" || count < 2 || !eachS) return "";
  const allS = Number((count * eachS).toPrecision(3));
  const words = `${count} × ${eachS}${NBSP}s = ${allS}${NBSP}s blocked`;
  return allS > mostS ? `${words}, at most ${mostS}${NBSP}s are allowed` : words;
}

export class TriggersView {
  #families;
  #counts;
  #message;
  #signal;
  #onSource;
  #timer = 0;
  #count = 1;
  #mostS = Infinity;
  /** @type {Map<string, Record<string, number>>} what the viewer set, by scenario */
  #params = new Map();
  /** @type {Scenario[]} */
  scenarios = [];

  /**
   * @param {ParentNode} root
   * @param {(scenario: Scenario) => void} onSource
   * @param {AbortSignal} signal
   */
  constructor(root, onSource, signal) {
    this.#families = part(root, "families");
    this.#counts = part(root, "counts");
    this.#message = part(root, "trigger-message");
    this.#onSource = onSource;
    this.#signal = signal;
  }

  /** @returns {Promise<import("../model/tour.js").Story[]>} */
  async load() {
    const response = await fetch("/api/scenarios", { signal: this.#signal });
    if (!response.ok) throw new Error(`GET /api/scenarios answered ${response.status}`);
    const { counts, scenarios, stories, budgets } = await response.json();
    this.#mostS = budgets.block_s;
    this.scenarios = scenarios;
    this.#counts.replaceChildren(...counts.map((count, i) => this.#countOption(count, i === 0)));
    this.#showFamilies();
    return stories;
  }

  /** What this scenario is sent with: the viewer's numbers, else the defaults. */
  paramsOf(scenario) {
    const chosen = this.#params.get(scenario.id) ?? {};
    return Object.fromEntries(scenario.params.map((p) => [p.name, chosen[p.name] ?? p.default]));
  }

  setParam(scenario, name, value) {
    this.#params.set(scenario.id, { ...this.#params.get(scenario.id), [name]: value });
    this.#showFamilies();
  }

  /** @param {Scenario} scenario @param {number} [count] else as many as the viewer chose */
  async send(scenario, count = this.#count) {
    const body = JSON.stringify({ count, params: this.paramsOf(scenario) });
    const headers = { "Content-Type": "application/json" };
    const url = `/api/trigger/${encodeURIComponent(scenario.id)}`;
    try {
      const response = await fetch(url, { method: "POST", headers, body, signal: this.#signal });
      if (response.ok) this.#say("");
      else this.#say(await sentenceOf(response));
    } catch (error) {
      if (!this.#signal.aborted) this.#say(`Not sent: the dashboard did not answer (${/** @type {Error} */ (error).message}).`);
    }
  }

  #say(text) {
    clearTimeout(this.#timer);
    this.#message.textContent = text;
    if (text) this.#timer = setTimeout(() => this.#say(""), MESSAGE_MS);
  }

  #countOption(count, isFirst) {
    const input = /** @type {HTMLInputElement} */ (make("input", ""));
    input.type = "radio";
    input.name = "count";
    input.value = String(count);
    input.checked = isFirst;
    if (isFirst) this.#count = count;
    const choose = () => {
      this.#count = count;
      this.#showFamilies();
    };
    input.addEventListener("change", choose, { signal: this.#signal });
    return make("label", "", input, make("span", "", String(count)));
  }

  #showFamilies() {
    const families = new Map();
    for (const scenario of this.scenarios.filter(({ story }) => !story)) {
      if (!families.has(scenario.family)) families.set(scenario.family, []);
      families.get(scenario.family).push(this.#button(scenario));
    }
    this.#families.replaceChildren(
      ...[...families].map(([family, buttons]) => {
        const heading = make("h3", "family", family);
        return make("section", "", heading, ...buttons);
      }),
    );
  }

  #button(scenario) {
    const params = this.paramsOf(scenario);
    const values = scenario.params.map(({ name, unit }) => `${params[name]} ${unit}`.trim());
    const title = make("span", "trigger-title", scenario.title);
    if (values.length) title.append(" ", make("span", "trigger-value", values.join(", ")));
    const subtitle = make("span", "trigger-subtitle", scenario.subtitle);
    const send = make("button", "trigger-send", title, subtitle);
    send.addEventListener("click", () => this.send(scenario), { signal: this.#signal });
    const source = make("button", "trigger-source", "{ }");
    source.setAttribute("aria-label", `Code of ${scenario.title}`);
    source.title = "Its code, and its numbers";
    source.addEventListener("click", () => this.#onSource(scenario), { signal: this.#signal });
    const box = make("div", "trigger", send, source);
    const cost = costInWords(scenario, params, this.#count, this.#mostS);
    if (cost) {
      send.append(make("span", "trigger-cost", cost));
      const one = make("button", "bar-button trigger-one", "Send just 1");
      one.addEventListener("click", () => this.send(scenario, 1), { signal: this.#signal });
      box.append(one);
    }
    box.dataset.state = scenario.state;
    box.dataset.scenario = scenario.id;
    return box;
  }
}
