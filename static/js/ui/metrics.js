// @ts-check

// The metrics' canvas, in the place of the boxes: same axis, same cursor, same playhead as the timeline
// above. Drawn only while it is shown.

import { drawStrips } from "../draw/strips.js";
import { Canvas } from "../view/canvas.js";
import { part } from "./parts.js";

/** Which state's colour stands for which metric. */
const COLORS = Object.freeze({ busy: "running", lag: "due", ready: "ready", rate: "waiting", latency: "thread" });

export class MetricsView {
  #root;
  #canvas;
  #box;
  #head;
  #button;
  /** @type {Record<string, string> | null} */
  #colors = null;
  #invalidate;

  /**
   * @param {HTMLElement} root
   * @param {() => void} invalidate
   * @param {AbortSignal} signal
   */
  constructor(root, invalidate, signal) {
    this.#root = root;
    this.#invalidate = invalidate;
    this.#box = part(root, "metrics");
    this.#head = part(root, "metrics-head");
    this.#button = part(root, "open-metrics");
    this.#canvas = new Canvas(/** @type {HTMLCanvasElement} */ (part(root, "metrics-canvas")), invalidate, signal);
    this.#button.addEventListener("click", () => this.toggle(), { signal });
  }

  get isShown() {
    return !this.#box.hidden;
  }

  toggle() {
    this.#box.hidden = !this.#box.hidden;
    part(this.#root, "boxes").hidden = this.isShown;
    this.#button.setAttribute("aria-pressed", String(this.isShown));
    this.#invalidate();
  }

  /** Colours changed. */
  restyle() {
    this.#colors = null;
  }

  /**
   * @param {object} at
   * @param {import("../model/metrics.js").Samples | null} at.samples
   * @param {import("../view/scale.js").Scale} at.scale
   * @param {number} at.endNs
   * @param {number} at.headNs
   * @param {boolean} at.isLive
   * @param {number | null} at.pointerNs
   * @param {import("../theme.js").Palette} palette
   */
  draw({ samples, scale, endNs, headNs, isLive, pointerNs }, palette) {
    if (!this.isShown || !palette) return;
    const size = this.#canvas.fit();
    if (size.widthPx < 1 || size.heightPx < 1) return;
    this.#colors ??= this.#readColors();
    const cursorNs = pointerNs ?? headNs;
    drawStrips(
      this.#canvas.context,
      { samples, scale, endNs, cursorNs: isLive && pointerNs === null ? endNs - 100e6 : cursorNs, size },
      { ...palette, colors: this.#colors },
    );
    const px = scale.toPx(cursorNs);
    const isSeen = (pointerNs !== null || !isLive) && px >= scale.leftPx && px <= scale.rightPx;
    this.#head.hidden = !isSeen;
    if (isSeen) this.#head.style.transform = `translateX(${px.toFixed(1)}px)`;
  }

  #readColors() {
    const style = getComputedStyle(this.#root);
    return Object.fromEntries(
      Object.entries(COLORS).map(([metric, state]) => [metric, style.getPropertyValue(`--state-${state}`).trim()]),
    );
  }
}
