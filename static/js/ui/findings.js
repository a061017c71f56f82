// @ts-check

// The verdict: the stall that is on, else what the rules found, else the last stall. Says each stall once
// to screen readers. What to write instead, and the other findings, stand in checks.js.

import { countOf, formatMs, formatPlace } from "../format.js";
import { isOn } from "../wire.js";
import { ChecksView } from "./checks.js";
import { make, part, setText } from "./parts.js";

const NOBODY_WAITED = "No request had to wait for it.";
const UNFINISHED = "It had not ended when its process did. ";
/** To have waited this part of its length for a processor is worth a word. */
const STARVED = 0.1;

/**
 * @param {import("../wire.js").Stall} stall
 * @returns {{title: string, body: (string | {strong: string})[]}}
 */
export function verdictOf(stall) {
  const place = formatPlace(stall.culprit) || "One step";
  const length = formatMs(stall.duration_ms);
  const isOver = !isOn(stall);
  const held = isOver ? `${place} held the loop for ${length}` : `${place} holds the loop`;
  // While it lasts it may still turn out to be its own fault.
  const title = stall.starved && isOver ? `The machine is too busy: a step took ${length}` : held;
  const { count, delay_ms: delayMs } = stall.victims;
  const waited = `It waited ${formatMs(stall.starved_ms)} of its ${length} for a processor. `;
  const why = stall.starved_ms >= STARVED * stall.duration_ms ? [waited] : [];
  if (stall.unfinished) why.unshift(UNFINISHED);
  if (!count) return { title, body: [...why, isOver ? NOBODY_WAITED : "Nobody else can run."] };
  const body = [
    ...why,
    isOver ? "It delayed " : "It delays ",
    { strong: countOf(count, "request") },
    " by ",
    { strong: formatMs(delayMs) },
    count === 1 ? "." : " together.",
  ];
  const { worst, worst_ms: worstMs } = stall.victims;
  if (worst && worstMs && count > 1) body.push(" The worst: ", { strong: worst }, ` by ${formatMs(worstMs)}.`);
  return { title, body };
}

/**
 * What the panel is about: a stall that is on, what the rules find now, or the last stall.
 * @param {import("../model/history.js").History} history
 * @returns {{stall: import("../wire.js").Stall | null, finding: import("../wire.js").Finding | null}}
 */
export function subjectOf(history) {
  const { lastStall: last, diagnosis } = history;
  const findings = diagnosis?.findings ?? [];
  const first = findings.find((each) => each.id === diagnosis?.verdict.finding) ?? null;
  const goesOn = last && isOn(last);
  if (!goesOn && first && !first.stall) return { stall: null, finding: first };
  const stall = goesOn || !first ? last : history.stalls.get(first.stall) ?? last;
  const finding = findings.find((each) => stall && each.stall === stall.id) ?? null;
  return { stall, finding };
}

export class FindingsView {
  #root;
  #title;
  #body;
  #jump;
  #earlier;
  #live;
  #checks;
  #key = "";
  #said = new Set();
  /** @type {import("../wire.js").Stall | null} */
  #stall = null;

  /**
   * @param {ParentNode} root
   * @param {(stall: import("../wire.js").Stall) => void} onJump
   * @param {AbortSignal} signal
   */
  constructor(root, onJump, signal) {
    this.#root = part(root, "findings");
    this.#title = part(root, "finding-title");
    this.#body = part(root, "finding-body");
    this.#jump = part(root, "finding-jump");
    this.#earlier = part(root, "finding-earlier");
    this.#live = part(root, "announcer");
    this.#checks = new ChecksView(root);
    this.#jump.addEventListener("click", () => this.#stall && onJump(this.#stall), { signal });
  }

  /**
   * @param {import("../model/history.js").History} history
   */
  show(history) {
    const { stall, finding } = subjectOf(history);
    this.#checks.show(history.diagnosis, finding);
    this.#stall = stall;
    const key = `${JSON.stringify(stall)} ${finding?.sentence} ${history.stalls.size}`;
    if (key === this.#key) return;
    this.#key = key;
    this.#root.dataset.finding = stall ? (isOn(stall) ? "blocked" : "over") : finding ? "found" : "calm";
    this.#jump.hidden = !stall;
    if (stall) this.#showStall(stall, history.stalls.size - 1);
    else {
      setText(this.#title, finding?.title ?? "Nothing holds the loop");
      setText(this.#body, finding?.sentence ?? "When one step keeps everybody waiting, its line shows here.");
      setText(this.#earlier, "");
      if (finding) this.#announce(`finding ${finding.id}`, finding.sentence);
    }
  }

  #showStall(stall, others) {
    const { title, body } = verdictOf(stall);
    setText(this.#title, title);
    const words = body.map((x) => (typeof x === "string" ? x : make("strong", "", x.strong)));
    this.#body.replaceChildren(...words);
    setText(this.#earlier, others ? `${countOf(others, "earlier stall")}` : "");
    if (!isOn(stall) || stall.culprit) this.#announce(`${stall.id} ${isOn(stall)}`, title);
  }

  #announce(key, sentence) {
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#live.textContent = sentence;
  }
}
