// @ts-check

// The canvas and its size. Alone knows the pixel ratio: everyone else counts in CSS pixels.

export class Canvas {
  #element;
  /** As the browser last laid it out: to ask it in every frame would cost a layout each. */
  #room = { widthPx: 0, heightPx: 0 };
  #size = { widthPx: 0, heightPx: 0 };

  /**
   * @param {HTMLCanvasElement} element fills its parent
   * @param {() => void} onResize
   * @param {AbortSignal} signal
   */
  constructor(element, onResize, signal) {
    this.#element = element;
    const context = element.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser draws no 2d canvas");
    this.context = context;
    const observer = new ResizeObserver(([entry]) => {
      const { width: widthPx, height: heightPx } = entry.contentRect;
      this.#room = { widthPx, heightPx };
      onResize();
    });
    observer.observe(/** @type {Element} */ (element.parentElement));
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  get heightPx() {
    return this.#size.heightPx;
  }

  /**
   * Take the room that there is. Called by the frame that then draws, so that no empty canvas is
   * ever shown.
   */
  fit() {
    const { widthPx, heightPx } = this.#room;
    const ratio = globalThis.devicePixelRatio || 1;
    const width = Math.round(widthPx * ratio);
    const height = Math.round(heightPx * ratio);
    if (this.#element.width !== width || this.#element.height !== height) {
      this.#element.width = width;
      this.#element.height = height;
      this.#size = { widthPx, heightPx };
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return this.#size;
  }
}
