// @ts-check

// A recording of somebody's, chosen or dropped anywhere on the page: sent to the dashboard, which makes
// a page of its own of it; that is where the browser goes. What is done with it, and what is wrong with
// it, stands in the dialog.

import { part, setText } from "./parts.js";
import { sentenceOf } from "./refusal.js";

const MB = 1 << 20;
/** How often it is said that reading goes on; each time is read aloud to who cannot see it. */
const TELL_MS = 5000;

/**
 * @param {{name: string, other: string}} reading the file that is read, and one that came meanwhile
 * @param {number} seconds so far
 */
export function readingInWords({ name, other }, seconds) {
  const since = seconds >= 5 ? `, ${Math.floor(seconds / 5) * 5} s so far` : "";
  const next = other ? ` One file is read at a time: drop ${other} again after that.` : "";
  return `Reading ${name}: the dashboard makes a page of it${since} …${next}`;
}

export class DropView {
  #root;
  #input;
  #show;
  #signal;
  /** What is read now. @type {{name: string, other: string, sinceMs: number} | null} */
  #reading = null;

  /**
   * @param {HTMLElement} root
   * @param {() => void} show opens the dialog in which a sentence can stand
   * @param {AbortSignal} signal
   */
  constructor(root, show, signal) {
    this.#root = root;
    this.#show = show;
    this.#signal = signal;
    this.#input = /** @type {HTMLInputElement} */ (part(root, "drop-file"));
    part(root, "drop-open").addEventListener("click", () => this.#input.click(), { signal });
    this.#input.addEventListener("change", () => this.#take(this.#input.files), { signal });
    root.addEventListener("dragover", (event) => this.#over(event), { signal });
    root.addEventListener("dragleave", (event) => event.relatedTarget || this.#leave(), { signal });
    root.addEventListener("drop", (event) => this.#drop(event), { signal });
    // Who comes back from the page of a file is not on the way there any more.
    addEventListener("pageshow", () => this.#reading || this.#tell(""), { signal });
  }

  #over(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.#root.dataset.drop = "";
  }

  #leave() {
    delete this.#root.dataset.drop;
  }

  #drop(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.#leave();
    this.#show();
    this.#take(event.dataTransfer.files);
  }

  /** @param {FileList | null} files */
  async #take(files) {
    const file = files?.[0];
    if (!file) return;
    if (this.#reading) {
      this.#reading.other = file.name;
      this.#tellReading();
      return;
    }
    this.#reading = { name: file.name, other: "", sinceMs: performance.now() };
    this.#tellReading();
    const telling = setInterval(() => this.#tellReading(), TELL_MS);
    try {
      const url = await this.#send(file);
      this.#tell(`Opening ${file.name} …`);
      location.assign(url);
    } catch (error) {
      if (!this.#signal.aborted) this.#tell(/** @type {Error} */ (error).message);
    } finally {
      clearInterval(telling);
      this.#reading = null;
      this.#input.value = "";
    }
  }

  #tellReading() {
    if (this.#reading) this.#tell(readingInWords(this.#reading, (performance.now() - this.#reading.sinceMs) / 1000));
  }

  /** @param {File} file */
  async #send(file) {
    const mostMb = Number(this.#input.dataset.mostMb);
    // Asked first: an answer that comes before all is sent may be lost.
    if (file.size > mostMb * MB) throw new Error(`${file.name} has more than ${mostMb} MB; use loopscope open.`);
    const url = `/api/recordings?name=${encodeURIComponent(file.name.toWellFormed())}`;
    const answer = await fetch(url, { method: "POST", body: file, signal: this.#signal });
    if (!answer.ok) throw new Error(await sentenceOf(answer));
    return (await answer.json()).url;
  }

  #tell(sentence) {
    setText(part(this.#root, "save-message"), sentence);
  }
}
