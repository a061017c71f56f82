// @ts-check

// How long a step must last to be called a stall: shown, and changed for everybody who watches.

import { part } from "./parts.js";

/** Long enough to read why a number was refused. */
const REFUSAL_MS = 6000;

export class ThresholdView {
  #input;

  /**
   * @param {ParentNode} root
   * @param {(sentence: string) => void} onRefused
   * @param {AbortSignal} signal
   */
  constructor(root, onRefused, signal) {
    this.#input = /** @type {HTMLInputElement} */ (part(root, "stall-ms"));
    this.#input.addEventListener("change", () => this.#send(onRefused, signal), { signal });
  }

  /** @param {number} stallNs */
  show(stallNs) {
    const ms = String(Math.round(stallNs / 1e4) / 100);
    if (Number.isFinite(stallNs) && !this.#input.matches(":focus") && this.#input.value !== ms) this.#input.value = ms;
  }

  async #send(onRefused, signal) {
    try {
      const answer = await fetch("/api/settings", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ stall_ms: this.#input.valueAsNumber }),
        signal,
      });
      onRefused(answer.ok ? "" : (await answer.json()).detail);
      if (!answer.ok) setTimeout(() => onRefused(""), REFUSAL_MS);
    } catch {
      // The connection is lost, which the lamp says.
    }
  }
}
