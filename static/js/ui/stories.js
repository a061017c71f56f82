// @ts-check

// The story that is open, in the place of the buttons: its question first, one button for each
// variant, and what was measured of it. The same panel is the tour: the clicker presses its buttons.

import { Tour } from "../model/tour.js";
import { press } from "../press.js";
import { codeBlock } from "./code.js";
import { make, part, setMarked, setText } from "./parts.js";
import { StoryList } from "./story-list.js";

export class StoriesView {
  #root;
  #panel;
  #parts;
  #list;
  #triggers;
  #onSource;
  #onRace;
  #onLayout;
  #signal;
  #tour = new Tour([], () => false);
  /** @type {Map<string, import("../press.js").Outcome>} the last outcome of each variant */
  #outcomes = new Map();
  /** @type {Map<string, string>} why it could not be sent */
  #troubles = new Map();
  /** Variants whose outcome is known, and not told since one went back. @type {Set<string>} */
  #unsaid = new Set();
  #sending = "";
  #shown = "";

  /**
   * @param {HTMLElement} root
   * @param {object} stage
   * @param {import("./triggers.js").TriggersView} stage.triggers
   * @param {(scenario: import("./triggers.js").Scenario) => void} stage.onSource
   * @param {(scenarios: import("./triggers.js").Scenario[], title: string) => void} stage.onRace
   * @param {() => void} stage.onLayout the timeline has another width now
   * @param {AbortSignal} signal
   */
  constructor(root, { triggers, onSource, onRace, onLayout }, signal) {
    this.#root = root;
    this.#panel = part(root, "story");
    this.#triggers = triggers;
    this.#onSource = onSource;
    this.#onRace = onRace;
    this.#onLayout = onLayout;
    this.#signal = signal;
    this.#list = new StoryList(root, (id) => this.open(id), () => this.on(), signal);
    const names = ["count", "heading", "lesson", "variants", "look", "code", "code-place", "race"];
    this.#parts = Object.fromEntries(names.map((name) => [name, part(root, `story-${name}`)]));
    const buttons = { close: this.close, on: this.on, back: this.back, all: () => this.#list.show() };
    for (const [name, act] of Object.entries(buttons)) {
      part(root, `story-${name}`).addEventListener("click", act.bind(this), { signal });
    }
    this.#parts.race.addEventListener("click", () => this.#race(), { signal });
  }

  /**
   * @param {import("../model/tour.js").Story[]} stories
   * @param {string | null} opened id of the story that the address asks for
   */
  begin(stories, opened) {
    this.#tour = new Tour(stories, (id) => Boolean(this.#find(id)?.missing));
    this.#list.fill(stories);
    if (opened) this.open(opened);
  }

  list() {
    this.#list.show();
  }

  /** @param {string} id */
  open(id) {
    if (this.#tour.open(id)) this.#show();
  }

  close() {
    if (!this.#tour.story) return;
    this.#tour.close();
    this.#show();
  }

  /** One step of the talk: the next button, or the next story. Waits for what is under way. */
  on() {
    if (this.#sending) return;
    const next = this.#tour.on();
    if ("send" in next && this.#unsaid.delete(next.send)) this.#refresh();
    else if ("send" in next) this.#send(next.send);
    else if ("show" in next) this.#show();
    else this.close();
  }

  back() {
    if (this.#sending) return;
    if (this.#tour.at < 0) return;
    this.#tour.back();
    // What was measured is not forgotten: the way on tells it again.
    for (const id of this.#tour.story?.variants ?? []) if (this.#outcomes.has(id)) this.#unsaid.add(id);
    this.#show();
  }

  async #send(id) {
    const scenario = this.#find(id);
    if (!scenario || this.#sending) return;
    this.#sending = id;
    this.#shown = id;
    this.#outcomes.delete(id);
    this.#unsaid.delete(id);
    this.#troubles.delete(id);
    this.#refresh();
    try {
      const outcome = await press(id, this.#triggers.paramsOf(scenario), this.#signal);
      this.#outcomes.set(id, outcome);
      if (outcome.trouble) this.#troubles.set(id, outcome.trouble);
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#troubles.set(id, /** @type {Error} */ (error).message);
    }
    this.#sending = "";
    this.#list.mark(new Set([...this.#outcomes.keys()].map((each) => this.#find(each)?.story)));
    this.#refresh();
  }

  #outcomeOf(id) {
    return this.#unsaid.has(id) ? undefined : this.#outcomes.get(id);
  }

  #find(id) {
    return this.#triggers.scenarios.find((scenario) => scenario.id === id);
  }

  #race() {
    const { story } = this.#tour;
    if (!story) return;
    const scenarios = story.variants.map((id) => this.#find(id)).filter((each) => each && !each.missing);
    this.#onRace(scenarios, story.title);
  }

  #show() {
    const { story } = this.#tour;
    const wasOpen = "story" in this.#root.dataset;
    this.#panel.hidden = !story;
    if (story) this.#root.dataset.story = story.id;
    else delete this.#root.dataset.story;
    if (wasOpen !== Boolean(story)) this.#onLayout();
    if (!story) return;
    this.#shown = story.variants[0];
    part(this.#root, "story-scroll").scrollTop = 0;
    this.#refresh();
  }

  #refresh() {
    const { story, at, count } = this.#tour;
    if (!story) return;
    const { heading, lesson, look, race, variants } = this.#parts;
    const isMeasured = story.variants.some((id) => this.#outcomeOf(id));
    setText(this.#parts.count, `${at + 1} of ${count} · ${story.family}`);
    // Predict first: the lesson stands there once something has been measured.
    setMarked(heading, isMeasured ? story.title : story.question);
    setMarked(lesson, isMeasured ? story.question : "Predict, then press the first button.");
    setMarked(look, `Watch ${story.look}.`);
    race.hidden = story.variants.length < 2;
    variants.replaceChildren(...story.variants.map((id, i) => this.#card(id, i)));
    this.#showCode();
  }

  #card(id, i) {
    const scenario = this.#find(id);
    if (!scenario) return make("div", "");
    const key = make("button", "variant-send", make("b", "", scenario.title), make("small", "", castOf(scenario)));
    key.addEventListener("click", () => this.#send(id), { signal: this.#signal });
    key.toggleAttribute("disabled", Boolean(scenario.missing || this.#sending));
    const source = make("button", "trigger-source", "{ }");
    source.title = "Its code, and its numbers";
    source.setAttribute("aria-label", `Code of ${scenario.title}`);
    source.addEventListener("click", () => this.#onSource(scenario), { signal: this.#signal });
    const card = make("div", "variant", key, source);
    card.dataset.state = scenario.state;
    card.dataset.variant = id;
    card.dataset.place = String(i);
    const trouble = scenario.missing ?? this.#troubles.get(id);
    const outcome = this.#outcomeOf(id);
    if (this.#sending === id) card.append(make("p", "variant-wait", "Sent. Waiting for the outcome …"));
    if (trouble) card.append(make("p", "variant-trouble", trouble));
    else if (outcome) {
      const words = make("p", "variant-words");
      setMarked(words, outcome.explanation);
      card.append(words);
    }
    return card;
  }

  #showCode() {
    const scenario = this.#find(this.#shown);
    if (!scenario) return;
    const { code } = this.#parts;
    const all = [scenario.source, ...scenario.helpers];
    setText(this.#parts["code-place"], `${scenario.title} · ${scenario.source.file}`);
    const facts = this.#outcomeOf(scenario.id)?.facts;
    // The line that held the loop, where it is one of these.
    const litIn = (source) => (facts && facts.culprit_function === source.function ? Number(facts.culprit_line) : 0);
    code.replaceChildren(...all.map((each) => codeBlock(each.code, each.line, litIn(each))));
  }
}

/** "45 requests, then 20 to /fast" */
function castOf({ size, others }) {
  const lead = size === 1 ? "1 request" : `${size} requests`;
  return others ? `${lead}, then ${others.count} to ${others.path}` : lead;
}
