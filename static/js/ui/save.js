// @ts-check

// What can be taken away: the trace and the table that the server writes, the picture that is in sight.

import { formatDuration } from "../format.js";
import { openInPerfetto } from "../perfetto.js";
import { make, part, setText } from "./parts.js";

const TRACE = "/api/export/trace.json";
const RECORDING = "/api/recording";

export class SaveView {
  #root;
  #dialog;
  #timeline;
  #viewport;
  #signal;

  /**
   * @param {ParentNode} root
   * @param {object} stage
   * @param {import("./timeline.js").TimelineView} stage.timeline
   * @param {import("../view/viewport.js").Viewport} stage.viewport
   * @param {AbortSignal} signal
   */
  constructor(root, { timeline, viewport }, signal) {
    this.#root = root;
    this.#timeline = timeline;
    this.#viewport = viewport;
    this.#signal = signal;
    this.#dialog = /** @type {HTMLDialogElement} */ (part(root, "save"));
    const buttons = {
      "save-png": () => this.#savePng(),
      "save-svg": () => this.#saveSvg(),
      "open-perfetto": () => this.#openPerfetto(),
    };
    for (const [name, act] of Object.entries(buttons)) {
      part(root, name).addEventListener("click", () => this.#try(act), { signal });
    }
  }

  show() {
    // A file is dropped on it: what is said of the one before stays.
    if (this.#dialog.open) return;
    const { area } = this.#viewport;
    const stretch = area ? `the marked ${formatDuration(area.endNs - area.startNs)}` : "all that is kept";
    for (const element of this.#root.querySelectorAll("[data-stretch]")) setText(element, stretch);
    part(this.#root, "save-trace").setAttribute("href", this.#stretchOf(TRACE));
    // A recording cannot be recorded: it is a file already.
    this.#root.querySelector("[data-part=save-recording]")?.setAttribute("href", this.#stretchOf(RECORDING));
    this.#tell("");
    this.#dialog.showModal();
  }

  #stretchOf(address) {
    const { area } = this.#viewport;
    return area ? `${address}?from_ns=${Math.round(area.startNs)}&to_ns=${Math.round(area.endNs)}` : address;
  }

  /** @param {() => Promise<void> | void} act */
  async #try(act) {
    this.#tell("");
    try {
      await act();
    } catch (error) {
      if (!this.#signal.aborted) this.#tell(/** @type {Error} */ (error).message);
    }
  }

  #tell(sentence) {
    setText(part(this.#root, "save-message"), sentence);
  }

  #savePng() {
    const canvas = /** @type {HTMLCanvasElement} */ (this.#timeline.element);
    canvas.toBlob((blob) => (blob ? download(blob, "png") : this.#tell("This browser made no picture.")));
  }

  #saveSvg() {
    const title = `Loopscope, ${formatDuration(this.#viewport.rangeNs)}`;
    download(new Blob([this.#timeline.writeSvg(title)], { type: "image/svg+xml" }), "svg");
  }

  async #openPerfetto() {
    const fetchTrace = async () => {
      const answer = await fetch(this.#stretchOf(TRACE), { signal: this.#signal });
      if (!answer.ok) throw new Error(`The dashboard gave no trace (${answer.status}).`);
      return answer.arrayBuffer();
    };
    this.#tell("Perfetto opens in a tab of its own …");
    await openInPerfetto(fetchTrace, "Loopscope", this.#signal);
    this.#tell("");
  }
}

/** @param {Blob} blob @param {string} ending */
function download(blob, ending) {
  const link = /** @type {HTMLAnchorElement} */ (make("a", ""));
  link.href = URL.createObjectURL(blob);
  link.download = `loopscope-timeline.${ending}`;
  link.click();
  // The browser has taken it over by the next turn; kept, it would stay in memory.
  setTimeout(() => URL.revokeObjectURL(link.href));
}
