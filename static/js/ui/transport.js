// @ts-check

// The slow motion's buttons, the phase in words beside them, and the playhead over the timeline.
// Shows what the playback says; each press is an action.

import { SLOWNESSES } from "../view/playback.js";
import { make, part, setText } from "./parts.js";

export class TransportView {
  #play;
  #speed;
  #phase;
  #head;

  /**
   * @param {ParentNode} root
   * @param {object} hands
   * @param {import("../input/keys.js").Actions} hands.actions
   * @param {(slowness: number) => void} hands.setSlowness
   * @param {(xPx: number) => void} hands.drag
   * @param {AbortSignal} signal
   */
  constructor(root, { actions, setSlowness, drag }, signal) {
    this.#play = part(root, "play");
    this.#speed = /** @type {HTMLSelectElement} */ (part(root, "speed"));
    this.#phase = part(root, "phase");
    this.#head = part(root, "playhead");
    this.#speed.replaceChildren(
      ...SLOWNESSES.map((slowness) => {
        const option = /** @type {HTMLOptionElement} */ (make("option", "", slowness === 1 ? "1 : 1" : `1 / ${slowness}`));
        option.value = String(slowness);
        return option;
      }),
    );
    part(root, "step-back").addEventListener("click", () => actions.step(-1), { signal });
    part(root, "step-on").addEventListener("click", () => actions.step(1), { signal });
    this.#play.addEventListener("click", () => actions.togglePlay(), { signal });
    this.#speed.addEventListener("change", () => setSlowness(Number(this.#speed.value)), { signal });
    this.#listenToGrip(part(root, "playhead-grip"), drag, signal);
  }

  /** @param {import("../view/playback.js").Playback} playback */
  showKeys(playback) {
    setText(this.#play, playback.isPlaying ? "Stop" : "Slow motion");
    this.#play.toggleAttribute("data-playing", playback.isPlaying);
    const value = String(playback.slowness);
    if (this.#speed.value !== value) this.#speed.value = value;
  }

  /**
   * @param {string} sentence of the moment that the boxes show
   * @param {string} tone
   */
  showPhase(sentence, tone) {
    if (this.#phase.dataset.tone !== tone) this.#phase.dataset.tone = tone;
    // Names of code stand between backticks.
    const key = sentence;
    if (this.#phase.dataset.said === key) return;
    this.#phase.dataset.said = key;
    this.#phase.replaceChildren(
      ...sentence.split("`").map((piece, i) => (i % 2 ? make("code", "", piece) : piece)),
    );
  }

  /**
   * Every frame: a line that lags behind its picture would lie.
   * @param {number | null} xPx null: live, now is the right edge
   */
  showHead(xPx) {
    this.#head.hidden = xPx === null;
    if (xPx !== null) this.#head.style.transform = `translateX(${xPx.toFixed(1)}px)`;
  }

  #listenToGrip(grip, drag, signal) {
    const parent = /** @type {HTMLElement} */ (this.#head.parentElement);
    const move = (event) => {
      if (grip.hasPointerCapture(event.pointerId)) drag(event.clientX - parent.getBoundingClientRect().left);
    };
    grip.addEventListener("pointerdown", (event) => grip.setPointerCapture(event.pointerId), { signal });
    grip.addEventListener("pointermove", move, { signal });
  }
}
