// @ts-check

// Keeps the address in step with the view, and the view in step with an address that was opened.
// To write it costs as much as some frames, and browsers stop listening to a page that does so too often:
// it is written when the view has come to rest.

import { readAddress, writeAddress, writeModes } from "../view/address.js";

/** The same for so long is at rest. */
const REST_MS = 500;

export class Link {
  #stage;
  #lookedMs = -Infinity;
  #seen = "";
  #written = "";
  #run = "";

  /**
   * @param {object} stage
   * @param {import("../view/viewport.js").Viewport} stage.viewport
   * @param {import("../view/choice.js").Choice} stage.choice
   * @param {import("../view/playback.js").Playback} stage.playback
   * @param {() => number} stage.nowNs
   * @param {() => Record<string, string | undefined>} stage.modes
   * @param {AbortSignal} signal
   */
  constructor(stage, signal) {
    this.#stage = stage;
    addEventListener("hashchange", () => this.#run && this.#restore(), { signal });
  }

  /** The server's run is known: times in the address now mean something, or nothing. */
  begin(run) {
    if (run === this.#run) return;
    const isFirst = this.#run === "";
    this.#run = run;
    if (isFirst) this.#restore();
  }

  /**
   * @param {number} nowMs
   * @returns {boolean} must it look again, though nothing may change?
   */
  keep(nowMs) {
    if (!this.#run) return false;
    if (nowMs - this.#lookedMs < REST_MS) return true;
    this.#lookedMs = nowMs;
    const { viewport, choice, playback, nowNs, modes } = this.#stage;
    const { isLive, startNs, rangeNs } = viewport;
    const latestNs = nowNs();
    const headNs = playback.atNs(latestNs);
    // At the right edge it stands by itself.
    const atNs = headNs === viewport.shownNs(latestNs) ? null : headNs;
    const fragment = writeAddress({
      run: this.#run,
      held: isLive ? null : { startNs, rangeNs, atNs },
      rangeNs,
      filter: choice.filter,
      grouping: choice.grouping,
      pins: [...choice.pins],
      unfolded: [...choice.unfolded],
      showsTasks: choice.showsTasks,
    });
    const url = location.pathname + writeModes(location.search, modes()) + (fragment ? `#${fragment}` : "");
    const isAtRest = url === this.#seen;
    this.#seen = url;
    if (url === this.#written) return false;
    if (!isAtRest) return true;
    this.#written = url;
    try {
      globalThis.history.replaceState(null, "", url);
    } catch {
      // A page inside of another document's text has no address of its own to write.
    }
    return false;
  }

  #restore() {
    const { viewport, choice, playback, nowNs } = this.#stage;
    const view = readAddress(location.hash, this.#run);
    choice.restore(view);
    const { held } = view;
    if (held) {
      if (held.atNs !== null) playback.seek(held.atNs, nowNs());
      viewport.goTo(held.startNs, held.rangeNs, nowNs());
    } else {
      if (!viewport.isLive) viewport.goLive();
      if (viewport.isLive) viewport.zoomBy(view.rangeNs / viewport.rangeNs, nowNs());
    }
  }
}
