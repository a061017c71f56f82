// @ts-check

// What to do about the verdict: the next action, the line as it is and as it would not hold the loop.
// Below, folded away: everything else that was found, and every rule with its answer.

import { countOf, keepUnits } from "../format.js";
import { make, part, setText } from "./parts.js";

/** What a rule says of now. "No" below what it found a while ago would contradict that. */
const ANSWERS = { yes: "found", no: "not found", later: "too early to say" };

/**
 * The summary of a diagnosis: "2 findings · 13 checks".
 * @param {import("../wire.js").Diagnosis} diagnosis
 */
export function summaryOf({ findings, checks }) {
  const asked = countOf(checks.length, "check");
  return findings.length ? `${countOf(findings.length, "finding")} · ${asked}` : `${asked}, nothing found`;
}

/**
 * A check's answer in words; of what is listed above and is so no more, that.
 * @param {import("../wire.js").Diagnosis["checks"][number]} check
 * @param {readonly import("../wire.js").Finding[]} findings
 */
export function answerInWords({ rule, answer }, findings) {
  const wasFound = answer !== "yes" && findings.some((each) => each.rule === rule);
  return wasFound ? "found before" : ANSWERS[answer];
}

export class ChecksView {
  #fix;
  #box;
  #summary;
  #found;
  #asked;
  #fixKey = "";
  #listKey = "";

  /** @param {ParentNode} root */
  constructor(root) {
    this.#fix = part(root, "fix");
    this.#box = /** @type {HTMLDetailsElement} */ (part(root, "checks"));
    this.#summary = part(root, "checks-summary");
    this.#found = part(root, "found");
    this.#asked = part(root, "asked");
  }

  /**
   * @param {import("../wire.js").Diagnosis | null} diagnosis
   * @param {import("../wire.js").Finding | null} finding what the verdict is about
   * @param {boolean} isComing one is to be expected: what is below keeps its place
   */
  show(diagnosis, finding, isComing) {
    this.#fix.toggleAttribute("data-coming", !finding && isComing);
    if (finding || !isComing) this.#showFix(finding);
    this.#box.hidden = !diagnosis;
    if (!diagnosis) return;
    setText(this.#summary, summaryOf(diagnosis));
    const key = this.#box.open ? JSON.stringify(diagnosis) : "";
    if (key === this.#listKey) return;
    this.#listKey = key;
    const { findings, checks } = diagnosis;
    this.#found.replaceChildren(
      ...findings.map((each) => {
        const item = make("li", "", make("b", "", each.title), make("p", "", keepUnits(each.sentence)), make("p", "", each.action));
        item.dataset.active = String(each.active);
        return item;
      }),
    );
    this.#asked.replaceChildren(
      ...checks.map((check) => {
        const item = make("li", "", make("span", "", check.title), make("span", "answer", answerInWords(check, findings)));
        item.dataset.answer = check.answer;
        return item;
      }),
    );
  }

  #showFix(finding) {
    const key = finding ? `${finding.action}\n${finding.fix?.before}\n${finding.fix?.after}` : "";
    if (key === this.#fixKey) return;
    this.#fixKey = key;
    this.#fix.hidden = !finding;
    if (!finding) return;
    const children = [make("p", "fix-action", finding.action)];
    const { fix } = finding;
    if (fix) {
      const before = make("del", "code-line", fix.before);
      const after = make("ins", "code-line", fix.after);
      for (const [line, sign] of /** @type {const} */ ([[before, "−"], [after, "+"]])) line.dataset.number = sign;
      const code = make("pre", "code", before, after);
      code.tabIndex = 0;
      children.push(code);
      if (fix.note) children.push(make("p", "fix-note", fix.note));
    }
    this.#fix.replaceChildren(...children);
  }
}
