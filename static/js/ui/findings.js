// @ts-check

// The verdict: the stall that is on, or the last one, in one sentence; and its line of code, when we
// have it. Says each stall once to screen readers.

import { countOf, fileName, formatMs, formatPlace } from "../format.js";
import { codeBlock } from "./code.js";
import { make, part, setText } from "./parts.js";

/** What others send stands at the door unseen: only a sender can tell when it was sent. */
const OTHERS_UNSEEN =
  "None of the requests that the loop knew of had to wait. Those that others send meanwhile cannot be seen at the door.";

/**
 * @param {import("../wire.js").Stall} stall
 * @returns {{title: string, body: (string | {strong: string})[]}}
 */
export function verdictOf(stall) {
  const place = formatPlace(stall.culprit) || "One step";
  const length = formatMs(stall.duration_ms);
  const title = stall.over ? `${place} held the loop for ${length}` : `${place} holds the loop`;
  const { count, delay_ms: delayMs } = stall.victims;
  if (!count) return { title, body: [stall.over ? OTHERS_UNSEEN : "Nobody else can run."] };
  const body = [
    stall.over ? "It delayed " : "It delays ",
    { strong: countOf(count, "request") },
    " by ",
    { strong: formatMs(delayMs) },
    count === 1 ? "." : " together.",
  ];
  const { worst, worst_ms: worstMs } = stall.victims;
  if (worst && worstMs && count > 1) body.push(" The worst: ", { strong: worst }, ` by ${formatMs(worstMs)}.`);
  return { title, body };
}

export class FindingsView {
  #root;
  #title;
  #body;
  #code;
  #jump;
  #earlier;
  #live;
  #key = "";
  #codeKey = "";
  #said = new Set();
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
    this.#code = part(root, "finding-code");
    this.#jump = part(root, "finding-jump");
    this.#earlier = part(root, "finding-earlier");
    this.#live = part(root, "announcer");
    this.#jump.addEventListener("click", () => this.#stall && onJump(this.#stall), { signal });
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {readonly import("./triggers.js").Scenario[]} scenarios
   */
  show(history, scenarios) {
    const stall = history.lastStall;
    this.#stall = stall;
    const key = stall ? `${JSON.stringify(stall)} ${history.stalls.size}` : "calm";
    if (key === this.#key) return;
    this.#key = key;
    this.#root.dataset.finding = stall ? (stall.over ? "over" : "blocked") : "calm";
    this.#jump.hidden = !stall;
    if (!stall) {
      setText(this.#title, "Nothing holds the loop");
      setText(this.#body, "When one step keeps everybody waiting, its line shows here.");
      setText(this.#earlier, "");
    } else {
      const { title, body } = verdictOf(stall);
      setText(this.#title, title);
      const words = body.map((x) => (typeof x === "string" ? x : make("strong", "", x.strong)));
      this.#body.replaceChildren(...words);
      const others = history.stalls.size - 1;
      setText(this.#earlier, others ? `${countOf(others, "earlier stall")}` : "");
      this.#announce(stall, title);
    }
    this.#showCode(stall, scenarios);
  }

  #announce(stall, title) {
    const key = `${stall.id} ${stall.over}`;
    if (this.#said.has(key) || (!stall.over && !stall.culprit)) return;
    this.#said.add(key);
    this.#live.textContent = title;
  }

  #showCode(stall, scenarios) {
    const source = stall?.culprit ? sourceAround(stall.culprit, scenarios) : null;
    const key = source ? `${source.file}:${stall.culprit.line}` : "";
    if (key === this.#codeKey) return;
    this.#codeKey = key;
    this.#code.replaceChildren();
    if (source) this.#code.append(codeBlock(source.code, source.line, stall.culprit.line));
  }
}

/** The scenario's source that holds the culprit's line. */
function sourceAround(culprit, scenarios) {
  for (const { source } of scenarios) {
    const end = source.line + source.code.trimEnd().split("\n").length - 1;
    const isThere = culprit.line >= source.line && culprit.line <= end;
    if (isThere && fileName(source.file) === fileName(culprit.file)) return source;
  }
  return null;
}
