// @ts-check

// The strip below the timeline: all that is still known. Drag the frame, or click to go there.

import { drawMinimap, minimapScale, readStrip } from "../draw/minimap.js";
import { Canvas } from "../view/canvas.js";
import { LOST } from "../wire.js";
import { MEANINGS } from "./meanings.js";
import { part } from "./parts.js";

const REFRESH_MS = 100;

export class Minimap {
  #history;
  #viewport;
  #canvas;
  /** The legend's word for what is cross-hatched, there while something is. */
  #lost;
  #element;
  /** @type {import("../view/scale.js").Scale | null} */
  #scale = null;
  /** @type {ReturnType<typeof readStrip>} */
  #strip = [];
  #readMs = -Infinity;
  #readKey = "";
  /** @type {import("../model/lanes.js").Lanes | null} */
  #readLanes = null;
  #drawnKey = "never";

  /**
   * @param {ParentNode} root
   * @param {import("../model/history.js").History} history
   * @param {import("../view/viewport.js").Viewport} viewport
   * @param {() => number} nowNs
   * @param {() => void} invalidate
   * @param {AbortSignal} signal
   */
  constructor(root, history, viewport, nowNs, invalidate, signal) {
    this.#history = history;
    this.#viewport = viewport;
    this.#lost = part(root, "legend-lost");
    const element = /** @type {HTMLCanvasElement} */ (part(root, "minimap"));
    this.#element = element;
    this.#canvas = new Canvas(element, invalidate, signal);
    let isDown = false;
    const go = (event) => {
      if (!this.#scale) return;
      const middleNs = this.#scale.toNs(event.offsetX);
      viewport.panTo(middleNs - viewport.rangeNs / 2, nowNs());
    };
    const down = (event) => {
      if (event.button !== 0) return;
      isDown = true;
      element.setPointerCapture(event.pointerId);
      go(event);
    };
    element.addEventListener("pointerdown", down, { signal, passive: true });
    element.addEventListener("pointermove", (event) => isDown && go(event), { signal, passive: true });
    for (const name of ["pointerup", "pointercancel"]) {
      element.addEventListener(name, () => (isDown = false), { signal, passive: true });
    }
  }

  /** The style changed: draw it anew. */
  restyle() {
    this.#drawnKey = "never";
  }

  /**
   * A strip of a minute moves by a pixel in a tenth of a second: to read it more often would be waste, and
   * of a recording, where nothing is new, to read it again. The frame follows the hand.
   * @param {number} nowMs
   * @param {number} nowNs
   * @param {import("../theme.js").Palette} palette
   */
  draw(nowMs, nowNs, palette) {
    const { rangeNs } = this.#viewport;
    const leftNs = this.#viewport.leftNs(nowNs);
    const isNew = nowMs - this.#readMs >= REFRESH_MS && this.#read(nowMs, nowNs, leftNs, palette);
    const key = this.#viewport.isLive ? "" : `${leftNs} ${rangeNs}`;
    if (!this.#scale || (!isNew && key === this.#drawnKey)) return;
    this.#drawnKey = key;
    const size = this.#canvas.fit();
    const sight = { startNs: leftNs, endNs: leftNs + rangeNs };
    drawMinimap(this.#canvas.context, { strip: this.#strip, scale: this.#scale, sight, size }, palette);
  }

  /** @returns {boolean} is it another one? */
  #read(nowMs, nowNs, leftNs, { gutterPx }) {
    const { widthPx, heightPx } = this.#canvas.fit();
    if (widthPx < 1 || heightPx < 1) return false;
    const { lanes, oldestNs, stallNs, tNs } = this.#history;
    const { rangeNs, whole } = this.#viewport;
    const place = { leftPx: gutterPx, widthPx: widthPx - gutterPx };
    const scale = minimapScale({ oldestNs, nowNs, leftNs, rangeNs, whole, ...place });
    // The canvas, too, is another one when it gets other pixels: it is empty then.
    const { width } = this.#canvas.context.canvas;
    const key = [scale.startNs, scale.endNs, scale.leftPx, widthPx, heightPx, width, stallNs, tNs].join();
    if (key === this.#readKey && lanes === this.#readLanes) return false;
    this.#readKey = key;
    this.#readLanes = lanes;
    this.#readMs = nowMs;
    this.#scale = scale;
    this.#strip = readStrip(lanes.all, scale, { nowNs, stallNs, heightPx });
    const isHatched = this.#strip.some(({ runs }) => runs.has(LOST));
    this.#lost.hidden = !isHatched;
    this.#element.title = isHatched ? `Cross-hatched: not known. ${MEANINGS.lost}` : "";
    return true;
  }
}
