// @ts-check

// The strip below the timeline: all that is still known. Drag the frame, or click to go there.

import { drawMinimap, minimapScale } from "../draw/minimap.js";
import { Canvas } from "../view/canvas.js";
import { part } from "./parts.js";

const REFRESH_MS = 100;

export class Minimap {
  #history;
  #viewport;
  #canvas;
  /** @type {import("../view/scale.js").Scale | null} */
  #scale = null;
  #drawnMs = -Infinity;
  #drawnKey = "";

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
    const element = /** @type {HTMLCanvasElement} */ (part(root, "minimap"));
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
    this.#drawnMs = -Infinity;
    this.#drawnKey = "";
  }

  /**
   * A strip of a minute moves by a pixel in a tenth of a second: more often would be waste.
   * @param {number} nowMs
   * @param {number} nowNs
   * @param {import("../theme.js").Palette} palette
   */
  draw(nowMs, nowNs, palette) {
    const viewport = this.#viewport;
    const leftNs = viewport.leftNs(nowNs);
    const key = viewport.isLive ? "" : `${leftNs} ${viewport.rangeNs}`;
    if (nowMs - this.#drawnMs < REFRESH_MS && key === this.#drawnKey) return;
    const size = this.#canvas.fit();
    if (size.widthPx < 1 || size.heightPx < 1) return;
    this.#drawnMs = nowMs;
    this.#drawnKey = key;
    this.#scale = minimapScale({
      oldestNs: this.#history.oldestNs,
      nowNs,
      leftNs,
      rangeNs: viewport.rangeNs,
      whole: viewport.whole,
      leftPx: palette.gutterPx,
      widthPx: size.widthPx - palette.gutterPx,
    });
    drawMinimap(
      this.#canvas.context,
      {
        lanes: this.#history.lanes.all,
        scale: this.#scale,
        nowNs,
        stallNs: this.#history.stallNs,
        sight: { startNs: leftNs, endNs: leftNs + viewport.rangeNs },
        size,
      },
      palette,
    );
  }
}
