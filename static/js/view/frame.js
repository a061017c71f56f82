// @ts-check

// The only owner of requestAnimationFrame. Anyone may say "something changed";
// however often that is said, the next frame draws once.

export class FrameLoop {
  #draw;
  #request;
  #pending = false;

  /**
   * @param {(nowMs: number) => void} draw
   * @param {(callback: FrameRequestCallback) => number} [request]
   */
  constructor(draw, request = (callback) => requestAnimationFrame(callback)) {
    this.#draw = draw;
    this.#request = request;
  }

  invalidate() {
    if (this.#pending) return;
    this.#pending = true;
    this.#request((nowMs) => {
      // Cleared first: a draw that throws must not stop every later frame.
      this.#pending = false;
      this.#draw(nowMs);
    });
  }
}
