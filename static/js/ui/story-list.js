// @ts-check

// The dialog that lists all stories by family: a table of contents, nothing more. The clicker leads out
// of it: on with the talk, or back to where it was.

import { countOf } from "../format.js";
import { make, part, setMarked, setText } from "./parts.js";

export class StoryList {
  #dialog;
  #list;
  #open;

  /**
   * @param {ParentNode} root
   * @param {(id: string) => void} onChoose
   * @param {() => void} onOn the talk goes on
   * @param {AbortSignal} signal
   */
  constructor(root, onChoose, onOn, signal) {
    this.#dialog = /** @type {HTMLDialogElement} */ (part(root, "story-list"));
    this.#list = part(root, "story-families");
    this.#open = part(root, "open-stories");
    this.#list.addEventListener(
      "click",
      (event) => {
        const button = /** @type {Element} */ (event.target).closest("button[data-story]");
        if (!(button instanceof HTMLElement)) return;
        this.#dialog.close();
        onChoose(button.dataset.story ?? "");
      },
      { signal },
    );
    this.#open.addEventListener("click", () => this.show(), { signal });
    this.#dialog.addEventListener(
      "keydown",
      (event) => {
        if (event.code !== "PageDown" && event.code !== "PageUp") return;
        event.preventDefault();
        this.#dialog.close();
        if (event.code === "PageDown") onOn();
      },
      { signal },
    );
  }

  /** @param {import("../model/tour.js").Story[]} stories */
  fill(stories) {
    const families = new Map();
    stories.forEach((story, i) => {
      if (!families.has(story.family)) families.set(story.family, []);
      families.get(story.family).push(row(story, i + 1));
    });
    this.#list.replaceChildren(
      ...[...families].map(([family, rows]) =>
        make("section", "story-family", make("h3", "", family), make("ol", "", ...rows)),
      ),
    );
    setText(part(this.#open, "open-stories-count"), countOf(stories.length, "story", "stories"));
    this.#open.hidden = stories.length === 0;
  }

  show() {
    if (this.#list.childElementCount) this.#dialog.showModal();
  }

  /** Which have been measured since the dashboard began. */
  mark(ids) {
    for (const button of this.#list.querySelectorAll("button[data-story]")) {
      if (button instanceof HTMLElement) button.dataset.measured = String(ids.has(button.dataset.story));
    }
  }
}

function row(story, number) {
  const title = make("span", "");
  setMarked(title, story.title);
  const button = make("button", "story-row", make("span", "story-number", String(number)), title);
  button.dataset.story = story.id;
  return make("li", "", button);
}
