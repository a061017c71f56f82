// @ts-check

// Everything around the timeline, refreshed less often than it: words that change sixty times a second
// cannot be read. In two halves, in frames that follow each other, so that neither frame is late.

import { formatDuration, formatLane, formatRound } from "../format.js";
import { countNameless, momentAt } from "../model/moment.js";
import { LivePhase, changeInWords, silenceOf } from "../model/phase.js";
import { isStartUp, stallOn } from "../model/stalls.js";
import { BoxesView } from "./boxes.js";
import { CodePane, subjectAt } from "./code-pane.js";
import { FindingsView } from "./findings.js";
import { part, setText } from "./parts.js";
import { RequestsView } from "./requests.js";
import { StallView } from "./stall.js";
import { StatusView, asDrawn, lampOf, sentencesOf } from "./status.js";
import { ThresholdView } from "./threshold.js";

const LIVE_MS = 100;
/** In the viewer's hands the boxes follow the playhead. */
const HELD_MS = 66;

export class Panels {
  #root;
  #stage;
  #status;
  #boxes;
  #findings;
  #requests;
  #code;
  #stall;
  #threshold;
  #phase = new LivePhase();
  #refusal = "";
  #shownMs = -Infinity;
  #shownState = "";
  /** The half that is still to come. @type {(() => void) | null} */
  #rest = null;
  #parts;

  /**
   * @param {HTMLElement} root
   * @param {object} stage
   * @param {import("../model/history.js").History} stage.history
   * @param {import("../view/viewport.js").Viewport} stage.viewport
   * @param {import("../view/choice.js").Choice} stage.choice
   * @param {import("./timeline.js").TimelineView} stage.timeline
   * @param {import("../view/playback.js").Playback} stage.playback
   * @param {import("./transport.js").TransportView} stage.transport
   * @param {import("./loops.js").LoopChoice} stage.loops
   * @param {import("../stream.js").Stream | import("../handout.js").KeptStream} stage.stream
   * @param {import("./triggers.js").TriggersView} stage.triggers
   * @param {ReturnType<typeof import("../input/actions.js").makeActions>} stage.actions
   * @param {(url: string, signal: AbortSignal) => Promise<any>} stage.ask an answer's JSON, or null
   * @param {AbortSignal} signal
   */
  constructor(root, stage, signal) {
    this.#root = root;
    this.#stage = stage;
    const { actions, viewport } = stage;
    this.#status = new StatusView(root);
    this.#boxes = new BoxesView(root, (lane) => viewport.select(lane), signal);
    this.#findings = new FindingsView(root, actions.showStall, signal);
    this.#code = new CodePane(root, stage.ask, () => viewport.touch(), signal);
    this.#requests = new RequestsView(root, actions.selectRequest, signal);
    this.#stall = new StallView(root, stage.ask, signal);
    this.#threshold = new ThresholdView(root, (sentence) => (this.#refusal = sentence), signal);
    this.#parts = Object.fromEntries(
      ["hold", "selection", "announcer", "empty-range"].map((name) => [name, part(root, name)]),
    );
  }

  /**
   * @param {number} nowMs
   * @param {number} latestNs
   * @param {"connecting" | "live" | "paused" | "behind" | "lost"} state
   * @param {string} failure what broke last, in words
   * @returns {boolean} is there more to show in the next frame?
   */
  show(nowMs, latestNs, state, failure) {
    const { history, viewport, loops } = this.#stage;
    const loop = asDrawn(loops.of(history.loops), latestNs, history.stallNs);
    // That a block begins or ends is shown in the frame that draws it, whoever's turn it is.
    const shown = `${state} ${loop?.state === "blocked"}`;
    if (this.#rest && shown === this.#shownState) {
      this.#rest();
      this.#rest = null;
      return false;
    }
    const waitMs = viewport.isLive ? LIVE_MS : HELD_MS;
    if (nowMs - this.#shownMs < waitMs && shown === this.#shownState) return false;
    this.#shownMs = nowMs;
    this.#shownState = shown;
    loops.show(history.loops);
    const run = loop?.state === "blocked" ? loop.running : null;
    const grownMs = run ? Math.max((latestNs - run.since_ns) / 1e6, loop?.blocked_ms ?? 0) : 0;
    const blockedMs = grownMs || (loop?.blocked_ms ?? 0);
    const moment = this.#showBoxes(nowMs, latestNs, loop, state);
    const isStart = loop ? isStartUp(stallOn(history, loop.id)) : Boolean(history.hello?.demo) && !history.notices.length;
    this.#status.showLamp(lampOf(state, loop, blockedMs, this.#heldWords(moment, latestNs), isStart), loops.place);
    const told = viewport.isLive
      ? loop && { busy: loop.utilisation, lag: loop.lag_ms }
      : history.metrics.of(loop?.id ?? -1)?.toldAt(moment.ns) ?? null;
    this.#status.showNumbers(loop, moment, told);
    this.#rest = () => this.#showRest(nowMs, moment, state, failure, loop?.id ?? 0);
    return true;
  }

  #showRest(nowMs, moment, state, failure, loop) {
    const { history, viewport, stream, triggers, timeline } = this.#stage;
    const leftNs = viewport.isLive ? Infinity : timeline.scale.startNs;
    this.#status.showSentences(sentencesOf(history, stream, failure || this.#refusal, leftNs));
    const told = this.#findings.show(history, loop);
    this.#stall.show(told.stall, nowMs);
    this.#threshold.show(history.stallNs);
    const selected = timeline.selected();
    const subject = subjectAt({ history, moment, selected: selected?.lane ?? null, isLive: viewport.isLive, ...told });
    // Where the demo app is not, a file of the same name is another's.
    this.#code.show(subject, history.hello?.demo ? triggers.scenarios : []);
    const { ns } = moment;
    this.#requests.show(history, { nowMs, ns, isLive: viewport.isLive, selected: selected?.lane.request ?? null });
    this.#showSelection(state, timeline);
    const isFirst = history.counts.requests === 0;
    this.#root.dataset.rows = timeline.hasRows ? "some" : isFirst ? "never" : "none";
    const wide = formatRound(viewport.rangeNs);
    setText(this.#parts["empty-range"], nothingInWords(wide, viewport.isLive, moment.isKnown));
  }

  /** For the keyboard: what the tooltip tells the pointer. */
  saySelection(words) {
    if (words) setText(this.#parts.announcer, sentenceOf(words));
  }

  /** The loop at the playhead: boxes, phase, and what the status line says of it. */
  #showBoxes(nowMs, latestNs, loop, state) {
    const { history, viewport, choice, playback, transport } = this.#stage;
    const ns = playback.atNs(latestNs);
    const { isLive } = viewport;
    const text = (i) => history.text(i);
    const id = loop?.id ?? -1;
    const moment = momentAt(history.lanes, text, id, ns, latestNs, choice.showsTasks);
    if (isLive && loop) countNameless(moment, loop);
    // A process that is stopped runs nothing, in the midst of a step neither.
    if (isLive && loop?.state === "frozen") moment.running = null;
    const nameOf = (request) => {
      const lane = request ? history.lanes.ofRequest(request) : null;
      return lane ? formatLane(request, lane.label) : "";
    };
    const silence = silenceOf(moment, loop, state);
    this.#boxes.show(moment, {
      nowMs,
      isLive,
      stallNs: history.stallNs,
      when: isLive ? "now" : placeOnAxis(ns, viewport.momentNs(latestNs)) || "the end",
      nameOf,
      tokens: isLive ? loop?.tokens ?? null : null,
      silence,
    });
    const isBlocked = moment.running !== null && ns - moment.running.sinceNs >= history.stallNs;
    const sentence = silence.sentence || (isLive
      ? this.#phase.tell(moment, history.stallNs, nowMs)
      : changeInWords(history.lanes, text, moment, id, history.stallNs, choice.showsTasks));
    transport.showPhase(sentence, isBlocked ? "blocked" : isLive ? "live" : "held");
    transport.showKeys(playback);
    return moment;
  }

  #heldWords(moment, latestNs) {
    const { playback, history, viewport } = this.#stage;
    const word = playback.isPlaying ? `Slow motion 1/${playback.slowness}` : viewport.whole ? "Recording" : "Paused";
    return { word, detail: atInWords(moment, viewport.momentNs(latestNs), history.stallNs) };
  }

  #showSelection(state, timeline) {
    const { hold, selection } = this.#parts;
    setText(hold, state === "paused" ? "Back to live" : "Pause");
    const words = timeline.words();
    setText(selection, words ? sentenceOf(words) : "");
    this.#root.dataset.selection = words ? "some" : "none";
  }
}

/** Why there is nothing to see: nothing happened, or it is too long ago. */
function nothingInWords(wide, isLive, isKnown) {
  if (isLive) return `Nothing in the last ${wide}.`;
  if (isKnown) return `Nothing in these ${wide}.`;
  return "Not held any more: of what is older than a minute only what was around stalls is kept.";
}

function sentenceOf({ name, words, info, length, why }) {
  return [`${name}, ${length}: ${words}`, info, why].filter(Boolean).join("  ·  ");
}

/** For the lamp of a held picture: where on its axis, and what the loop did then. */
function atInWords(moment, endNs, stallNs) {
  const { running, ns, isKnown, isBetween } = moment;
  const place = placeOnAxis(ns, endNs);
  const lengthNs = running ? ns - running.sinceNs : 0;
  const blocked = lengthNs >= stallNs ? `blocked for ${formatDuration(lengthNs)}` : "";
  const did = isKnown ? blocked || (running ? "running" : isBetween ? "between two steps" : "idle") : "";
  return [place, did].filter(Boolean).join(": ");
}

/** As the axis counts: from where the picture ends. How long ago that is, the bar says. */
function placeOnAxis(ns, endNs) {
  return ns < endNs ? `−${formatDuration(endNs - ns)}` : "";
}
