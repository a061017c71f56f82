// @ts-check

// A recording of somebody's, chosen or dropped anywhere on the page: sent to the dashboard, which makes
// a page of its own of it; that is where the browser goes. What is wrong with it stands in the dialog.

import { part, setText } from "./parts.js";
import { sentenceOf } from "./refusal.js";

const MB = 1 << 20;

export class DropView {
  #root;
  #input;
  #show;
  #signal;
  #isBusy = false;

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
    if (!file || this.#isBusy) return;
    this.#isBusy = true;
    this.#tell(`Reading ${file.name} …`);
    try {
      location.assign(await this.#send(file));
    } catch (error) {
      if (!this.#signal.aborted) this.#tell(/** @type {Error} */ (error).message);
    } finally {
      this.#isBusy = false;
      this.#input.value = "";
    }
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
