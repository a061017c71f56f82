// @ts-check

// What keys, buttons and pointer can ask for, in one place: each is a change of the viewport, of the
// choice of lanes, or of the playhead.

import { stallToTell } from "../model/stalls.js";
import { wakeOf } from "../model/wakers.js";
import { nextChangeNs, previousChangeNs } from "../model/steps.js";

/** What "what just happened?" holds. */
export const JUST_NOW_NS = 30e9;

/**
 * @param {object} stage
 * @param {import("../view/viewport.js").Viewport} stage.viewport
 * @param {import("../view/choice.js").Choice} stage.choice
 * @param {import("../ui/timeline.js").TimelineView} stage.timeline
 * @param {import("../model/history.js").History} stage.history
 * @param {import("../view/playback.js").Playback} stage.playback
 * @param {() => (lane: import("../model/lanes.js").Lane) => boolean} stage.counts whose changes are steps
 * @param {() => number} stage.nowNs
 * @param {{loop: (id: number) => void} & Record<"present" | "save" | "stories" | "storyOn" | "storyBack" | "experiment" | "close" | "theme" | "help" | "selected" | "search" |
 *   "table" | "metrics", () => void>} page loop: this one is looked at
 * @returns {import("./keys.js").Actions & {selectRequest: (id: number) => void,
 *   selectSpan: (lane: number, startNs: number) => void,
 *   showStall: (stall: import("../wire.js").Stall) => void, land: () => void, landed: () => void,
 *   seek: (ns: number) => void, click: (x: number, y: number) => void, doubleClick: (x: number, y: number) => void}}
 */
export function makeActions({ viewport, choice, timeline, history, playback, counts, nowNs }, page) {
  const selectSlice = (lane, i) => {
    viewport.select(lane.id, i >= 0 ? lane.spans.startNs(i) : null);
    page.selected();
  };
  const stretchOf = ({ lane, i }) => {
    const latestNs = nowNs();
    if (i < 0) return [lane.startNs, Math.min(lane.endNs, latestNs)];
    return [lane.spans.startNs(i), lane.spans.endNs(i, latestNs)];
  };
  /** A recording is drawn before its stalls are known: whoever still looks at all of it is taken there then. */
  let isLanding = false;
  const showStall = (stall) => {
    const endNs = stall.start_ns + stall.duration_ms * 1e6;
    const airNs = stall.duration_ms * 0.35e6;
    page.loop(stall.loop);
    viewport.fit(stall.start_ns - airNs, endNs + airNs, nowNs());
    // Near its end: there everybody who has to wait has come.
    playback.seek(endNs - airNs * 0.05, nowNs());
  };
  return {
    ...page,
    toggleHold() {
      if (playback.isPlaying) playback.stop();
      else if (viewport.isLive) viewport.hold(nowNs());
      else if (viewport.whole) playback.play(nowNs());
      else viewport.goLive();
    },
    togglePlay: () => (playback.isPlaying ? playback.stop() : playback.play(nowNs())),
    turnSpeed: (direction) => playback.turn(direction, nowNs()),
    step(direction) {
      const latestNs = nowNs();
      const find = direction > 0 ? nextChangeNs : previousChangeNs;
      const ns = find(history.lanes.all, counts(), playback.atNs(latestNs));
      if (ns !== null && ns <= latestNs) playback.stepTo(ns, latestNs, timeline.scale.widthPx);
    },
    seek: (ns) => playback.seek(ns, nowNs()),
    goLive: () => viewport.goLive(),
    justNow() {
      const latestNs = nowNs();
      viewport.goLive();
      viewport.goTo(latestNs - JUST_NOW_NS, JUST_NOW_NS, latestNs);
    },
    zoom: (factor) => viewport.zoomBy(factor, timeline.scale.toNs(zoomAnchorPx(timeline, viewport))),
    resetZoom: () => viewport.resetZoom(),
    pan: (share) => viewport.panBy(share * viewport.rangeNs, nowNs()),
    scrollRows: (px) => timeline.scrollBy(px),
    undo: () => viewport.undo(),
    redo: () => viewport.redo(),
    selectLane(step) {
      const lane = timeline.laneBeside(step);
      if (!lane) return;
      viewport.select(lane.id);
      timeline.revealRow(lane);
      page.selected();
    },
    selectSlice(step) {
      const found = timeline.selected();
      if (!found || !found.lane.spans.count) return;
      const last = found.lane.lastSlice;
      const from = found.i >= 0 ? found.i + step : last;
      const i = Math.min(Math.max(from, 0), last);
      selectSlice(found.lane, i);
      playback.seek(found.lane.spans.startNs(i), nowNs());
    },
    fit() {
      const found = timeline.selected();
      if (viewport.area) viewport.fit(viewport.area.startNs, viewport.area.endNs, nowNs());
      else if (found) viewport.fit(...stretchOf(found), nowNs());
    },
    mark() {
      const found = timeline.selected();
      viewport.hold(nowNs());
      if (found) viewport.mark(...stretchOf(found));
      else viewport.mark(timeline.scale.startNs, Math.min(timeline.scale.endNs, timeline.endNs));
    },
    pin() {
      const found = timeline.selected();
      if (found) choice.togglePin(found.lane.id);
    },
    waker() {
      const found = timeline.selected();
      if (!found) return;
      const i = found.i >= 0 ? found.i : found.lane.lastSlice;
      const wake = wakeOf(found.lane, i, (index) => history.text(index), nowNs());
      const lane = wake?.lane ? history.lanes.get(wake.lane) : history.lanes.loopLane(found.lane.loop);
      if (!wake || !lane || found.lane === lane) return;
      // Just before: the step that did it, the poll that saw the timer or the socket.
      selectSlice(lane, Math.max(lane.spans.indexAt(wake.ns - 1), 0));
      playback.seek(wake.ns, nowNs());
      timeline.revealRow(lane);
    },
    fold() {
      const request = timeline.selected()?.lane.request;
      if (request) choice.toggleFold(request);
    },
    group: () => choice.nextGrouping(),
    toggleTasks: () => choice.toggleTasks(),
    clear() {
      if (viewport.selection || viewport.area) viewport.clearSelection();
      else page.close();
    },
    selectRequest(id) {
      const lane = history.lanes.ofRequest(id);
      if (!lane) return;
      viewport.select(lane.id);
      const { startNs: leftNs } = timeline.scale;
      if (lane.endNs < leftNs) viewport.fit(lane.startNs, lane.endNs, nowNs());
      timeline.revealRow(lane);
      page.selected();
    },
    selectSpan(id, startNs) {
      const lane = history.lanes.get(id);
      if (!lane) return;
      selectSlice(lane, lane.spans.indexAt(startNs));
      playback.seek(startNs, nowNs());
      timeline.revealRow(lane);
    },
    showStall,
    land() {
      viewport.goLive();
      const stall = stallToTell(history);
      if (stall) showStall(stall);
      isLanding = !history.diagnosis;
    },
    landed() {
      const isStillThere = isLanding && viewport.showsAll && !playback.isPlaying;
      isLanding = false;
      if (isStillThere) this.land();
    },
    click(xPx, yPx) {
      const request = timeline.foldAt(xPx, yPx);
      if (request) {
        choice.toggleFold(request);
        return;
      }
      if (!viewport.isLive && xPx > timeline.scale.leftPx) {
        playback.seek(Math.min(timeline.scale.toNs(xPx), viewport.shownNs(nowNs())), nowNs());
      }
      const found = timeline.find(xPx, yPx);
      if (found) selectSlice(found.lane, found.i);
      else viewport.clearSelection();
    },
    doubleClick(xPx, yPx) {
      const found = timeline.find(xPx, yPx);
      if (found && xPx < timeline.scale.leftPx) choice.togglePin(found.lane.id);
      else if (found) viewport.fit(...stretchOf(found), nowNs());
    },
  };
}

/** The pointer when it is there, else the middle. */
function zoomAnchorPx(timeline, viewport) {
  if (viewport.pointer) return viewport.pointer.xPx;
  return (timeline.scale.leftPx + timeline.scale.rightPx) / 2;
}
