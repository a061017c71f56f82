// @ts-check

// The verdict: the stall that is on, else what the rules found, else the stall that was last.
// Says each stall once to screen readers. What to write instead, and the other findings, stand in
// checks.js; the other stalls in stall-list.js.

import { countOf, formatMs, formatPlace, keepUnits } from "../format.js";
import { endOf, isSought, isStartUp, rowOf, stallToTell, whenInWords } from "../model/stalls.js";
import { isOn } from "../wire.js";
import { ChecksView } from "./checks.js";
import { make, part, setText } from "./parts.js";
import { StallList } from "./stall-list.js";

/** No longer than what stands there a moment later, so that nothing moves. */
const SOUGHT = "Blocked: looking for the line";
const NOBODY_WAITED = "Nobody had to wait for it.";
const UNFINISHED = "It had not ended when its process did. ";
/** To have waited this part of its length for a processor is worth a word. */
const STARVED = 0.1;

/**
 * @param {import("../wire.js").Stall} stall
 * @returns {{title: string, body: (string | {strong: string})[]}}
 */
export function verdictOf(stall) {
  const place = (formatPlace(stall.culprit) || "One step").replace(/^the /, "The ");
  const length = formatMs(stall.duration_ms);
  const isOver = !isOn(stall);
  const held = isOver ? `${place} held the loop for ${length}` : isSought(stall) ? SOUGHT : `${place} holds the loop`;
  // While it lasts it may still turn out to be its own fault.
  const title = stall.starved && isOver ? `The machine is too busy: a step took ${length}` : held;
  const waited = `It waited ${formatMs(stall.starved_ms)} of its ${length} for a processor. `;
  const why = stall.starved_ms >= STARVED * stall.duration_ms ? [waited] : [];
  if (isStartUp(stall)) {
    const what = `${place} ${isOver ? "had" : "has"} the loop, before the app served anybody.`;
    return { title: isOver ? `Start-up took ${length}` : "Start-up", body: [...why, what] };
  }
  if (stall.unfinished) why.unshift(UNFINISHED);
  const { victims } = stall;
  // In a program without requests it is the tasks that wait.
  const harm = victims.count ? delayOf(victims, "request") : victims.others?.count ? delayOf(victims.others, "task") : null;
  if (!harm) return { title, body: [...why, isOver ? NOBODY_WAITED : "Nobody else can run."] };
  return { title, body: [...why, isOver ? "It delayed " : "It delays ", ...harm] };
}

/**
 * "2 tasks: poller by 1.90 s and ticker by 900 ms", or of many how long together, and the worst.
 * @param {import("../wire.js").HeldUp} held
 * @param {string} one
 * @returns {(string | {strong: string})[]}
 */
function delayOf({ count, delay_ms: delayMs, worst, worst_ms: worstMs, named = [] }, one) {
  const each = named.map(({ label, delay_ms: ms }) => [{ strong: label }, ` by ${formatMs(ms)}`]);
  if (count === 1 && each.length) return [...each[0], "."];
  if (count === each.length) {
    const last = each.pop() ?? [];
    const first = each.flatMap((words, i) => (i ? [", ", ...words] : words));
    return [{ strong: countOf(count, one) }, ": ", ...first, " and ", ...last, "."];
  }
  const body = [{ strong: countOf(count, one) }, " by ", { strong: formatMs(delayMs) }, count === 1 ? "." : " together."];
  if (worst && worstMs && count > 1) body.push(" The worst: ", { strong: worst }, ` by ${formatMs(worstMs)}.`);
  return body;
}

/**
 * Of several in a row one is told: how many there were, and for how long they held the loop together.
 * @param {import("../wire.js").Stall} stall
 * @param {readonly import("../wire.js").Stall[]} row it is one of these
 */
export function rowInWords(stall, row) {
  if (row.length < 2 || isStartUp(stall)) return "";
  if (isOn(stall)) return `${row.length} in a row so far.`;
  return `One of ${row.length} in a row, ${formatMs(row.reduce((sum, each) => sum + each.duration_ms, 0))} together.`;
}

/**
 * What the panel is about: a stall that is on or that the viewer chose, what the rules find now, or the
 * last stall of the loop in sight. A recording has no now: its stalls come before what was found at its end.
 * @param {import("../model/history.js").History} history
 * @param {number} [chosen] id of a stall
 * @param {number} [loop] the one in sight
 * @returns {{stall: import("../wire.js").Stall | null, finding: import("../wire.js").Finding | null}}
 */
export function subjectOf(history, chosen = 0, loop = 0) {
  const { diagnosis } = history;
  const findings = diagnosis?.findings ?? [];
  const stall = stallToTell(history, chosen, loop);
  const first = findings.find((each) => each.id === diagnosis?.verdict.finding) ?? null;
  const isAsked = stall && (isOn(stall) || stall.id === chosen || history.hello?.recording);
  if (first && !first.stall && !isAsked) return { stall: null, finding: first };
  const finding = stall && (findings.find((each) => each.stall === stall.id) ?? findings.find((each) => isOf(each, stall)));
  return { stall, finding: finding ?? null };
}

/**
 * Several stalls of one line are one finding, which names the last of them.
 * @param {import("../wire.js").Finding} finding
 * @param {import("../wire.js").Stall} stall
 */
function isOf({ stall: last, loop, place }, { loop: ofLoop, culprit }) {
  return Boolean(
    last && culprit && loop === ofLoop && place?.file === culprit.file && place.line === culprit.line,
  );
}

/** When and where it was, unless that is now and here. What the rules find has its time in its sentence. */
function whenOf(history, loop, stall, finding) {
  if (stall) return whenInWords(history, loop, { loop: stall.loop, endNs: isOn(stall) ? Infinity : endOf(stall) });
  return finding ? whenInWords(history, loop, { loop: finding.loop, endNs: Infinity }) : "";
}

function calmWords(isPast) {
  if (isPast) return { title: "Nothing held the loop", body: "No step of this recording kept everybody waiting." };
  return { title: "Nothing holds the loop", body: "When one step keeps everybody waiting, its line shows here." };
}

/** What a screen reader is told: each stall once while it is on, if its line is known, and once when it is over. */
export class Announcements {
  #said = new Set();
  #holds = "";

  /**
   * @param {import("../wire.js").Stall | null} stall
   * @param {import("../wire.js").Finding | null} finding
   * @param {string} title of the panel
   * @param {string | null} shown what can be read now
   * @returns {string | null} what is to be said, if anything
   */
  next(stall, finding, title, shown) {
    const holds = stall !== null && isOn(stall);
    // Of several in a row the panel goes back to the worst, which was said: "holds" must not stay there.
    const isStale = !holds && shown !== "" && shown === this.#holds;
    const key = stall ? `${stall.id} ${holds}` : finding ? `finding ${finding.id}` : "";
    const isNew = key !== "" && !this.#said.has(key) && (!holds || Boolean(stall.culprit));
    if (!isNew && !isStale) return null;
    this.#said.add(key);
    const text = !stall && finding ? finding.sentence : title;
    if (holds) this.#holds = text;
    return text;
  }
}

export class FindingsView {
  #root;
  #title;
  #row;
  #body;
  #when;
  #jump;
  #list;
  #live;
  #checks;
  #key = "";
  #announcements = new Announcements();
  /** @type {import("../wire.js").Stall | null} */
  #stall = null;
  /** The stall that the viewer chose, until there is a new one. */
  #chosen = { id: 0, last: 0 };

  /**
   * @param {ParentNode} root
   * @param {(stall: import("../wire.js").Stall) => void} onJump
   * @param {AbortSignal} signal
   */
  constructor(root, onJump, signal) {
    this.#root = part(root, "findings");
    this.#title = part(root, "finding-title");
    this.#row = part(root, "finding-row");
    this.#body = part(root, "finding-body");
    this.#when = part(root, "finding-when");
    this.#jump = part(root, "finding-jump");
    this.#list = new StallList(root, (id) => (this.#chosen = { id, last: 0 }), signal);
    this.#live = part(root, "announcer");
    this.#checks = new ChecksView(root);
    this.#jump.addEventListener("click", () => this.#stall && onJump(this.#stall), { signal });
  }

  /**
   * @param {import("../model/history.js").History} history
   * @param {number} loop the one in sight
   * @returns {{stall: import("../wire.js").Stall | null, finding: import("../wire.js").Finding | null}} what it tells of
   */
  show(history, loop) {
    const last = history.lastStall?.id ?? 0;
    this.#chosen.last ||= last;
    if (this.#chosen.last !== last) this.#chosen = { id: 0, last };
    const { stall, finding } = subjectOf(history, this.#chosen.id, loop);
    setText(this.#when, whenOf(history, loop, stall, finding));
    setText(this.#row, stall ? rowInWords(stall, rowOf(history, stall)) : "");
    this.#checks.show(history.diagnosis, finding, stall !== null && isOn(stall));
    this.#list.show(history, stall);
    this.#stall = stall;
    const key = `${JSON.stringify(stall)} ${finding?.sentence}`;
    if (key !== this.#key) this.#write(stall, finding, Boolean(history.hello?.recording));
    this.#key = key;
    return { stall, finding };
  }

  #write(stall, finding, isPast) {
    this.#root.dataset.finding = stall && !isStartUp(stall) ? (isOn(stall) ? "blocked" : "over") : finding && !stall ? "found" : "calm";
    this.#jump.hidden = !stall;
    if (stall) this.#showStall(stall);
    else {
      const calm = calmWords(isPast);
      setText(this.#title, finding?.title ?? calm.title);
      setText(this.#body, keepUnits(finding?.sentence ?? calm.body));
    }
    const said = this.#announcements.next(stall, finding, this.#title.textContent ?? "", this.#live.textContent);
    if (said !== null) this.#live.textContent = said;
  }

  #showStall(stall) {
    const { title, body } = verdictOf(stall);
    setText(this.#title, title);
    const words = body.map((x) => (typeof x === "string" ? x : make("strong", "", x.strong)));
    this.#body.replaceChildren(...words);
  }
}
