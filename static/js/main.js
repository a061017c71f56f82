// @ts-check

// Builds the page once and wires it: stream → history → one frame loop → views. Knows everyone;
// nobody knows it. Leaving the page is one abort.

import { KeptStream, makeAsk, readHandout } from "./handout.js";
import { makeActions } from "./input/actions.js";
import { listenToKeys } from "./input/keys.js";
import { Link } from "./input/link.js";
import { listenToPointer } from "./input/pan-zoom.js";
import { History } from "./model/history.js";
import { nextChangeNs, ofLoop, ofRequests } from "./model/steps.js";
import { LoopChoice } from "./ui/loops.js";
import { AreaCard } from "./ui/area.js";
import { Bar } from "./ui/bar.js";
import { MetricsView } from "./ui/metrics.js";
import { Minimap } from "./ui/minimap.js";
import { DropView } from "./ui/drop.js";
import { ExperimentView } from "./ui/experiment.js";
import { Meanings } from "./ui/meanings.js";
import { PageState, missingIn, unsupportedWords } from "./ui/page-state.js";
import { Panels } from "./ui/panels.js";
import { part, setText } from "./ui/parts.js";
import { fillHelp, showHelp } from "./ui/help.js";
import { RaceView } from "./ui/race.js";
import { sentenceOf } from "./ui/refusal.js";
import { SaveView } from "./ui/save.js";
import { SourceView } from "./ui/source.js";
import { StoriesView } from "./ui/stories.js";
import { TimelineView } from "./ui/timeline.js";
import { TransportView } from "./ui/transport.js";
import { Twin } from "./ui/twin.js";
import { TriggersView } from "./ui/triggers.js";
import { Stream } from "./stream.js";
import { Theme } from "./theme.js";
import { Choice } from "./view/choice.js";
import { LiveClock } from "./view/clock.js";
import { FrameLoop } from "./view/frame.js";
import { Lateness } from "./view/lateness.js";
import { Playback } from "./view/playback.js";
import { Viewport } from "./view/viewport.js";

const root = document.documentElement;
root.dataset.script = "";
const missing = missingIn(globalThis);
if (missing.length) {
  part(root, "unsupported").dataset.told = "";
  setText(part(root, "unsupported"), unsupportedWords(missing));
}
const leaving = new AbortController();
const { signal } = leaving;
addEventListener("pagehide", (event) => event.persisted || leaving.abort(), { signal });

/** Not null: this page is a file of its own, and nobody is there to be asked. */
const kept = readHandout(root);
if (kept) root.dataset.handout = "";
/** @type {(...given: ConstructorParameters<typeof Stream>) => Stream | KeptStream} */
const openStream = kept ? (_, listener) => new KeptStream(kept.hello, listener) : (...given) => new Stream(...given);
const history = new History();
const clock = new LiveClock();
const lateness = new Lateness(signal);
const frames = new FrameLoop(draw);
const viewport = new Viewport(() => frames.invalidate());
const playback = new Playback(viewport, () => frames.invalidate());
const loops = new LoopChoice(root, () => frames.invalidate(), signal);
const shownLoop = () => loops.of(history.loops)?.id ?? -1;
const choice = new Choice(() => frames.invalidate());
const timeline = new TimelineView(root, history, { viewport, choice }, () => frames.invalidate(), signal);
const source = new SourceView(root, signal);
const showSource = (scenario) => source.show(scenario, triggers, history.hello?.demo?.url ?? null);
const triggers = new TriggersView(root, showSource, signal);
const racing = { history, paramsOf: (scenario) => triggers.paramsOf(scenario), palette: () => timeline.palette };
const race = new RaceView(root, racing, signal);
const stories = new StoriesView(
  root,
  { triggers, onSource: showSource, onRace: (scenarios, title) => race.show(scenarios, title), onLayout: restyle },
  signal,
);
const experiment = new ExperimentView(root, signal);
const save = new SaveView(root, { timeline, viewport }, signal);
const theme = new Theme(root, restyle, signal);
const pageState = new PageState(root);
/** @type {"connecting" | "live" | "lost"} */
let line = "connecting";
let failure = "";
let refusal = "";

const stream = openStream(
  "/events",
  {
    onHello(hello) {
      // The same run with a new snapshot (we were too slow) leaves the viewer where they were.
      if (hello.run !== history.hello?.run) {
        clock.restart();
        lateness.restart();
        viewport.restart(hello.recording);
        if (history.hello) choice.restart();
      }
      history.begin(hello);
      clock.isStill = Boolean(hello.recording);
      clock.tell(hello.t_ns, performance.now());
      loops.isPast = Boolean(hello.recording);
      link.begin(hello.run);
      // A recording has no now to look at: what went wrong is in sight first.
      if (hello.recording && viewport.isLive) actions.land();
      setLine("live");
      frames.invalidate();
    },
    onFrame(frame) {
      history.apply(frame);
      clock.tell(frame.t_ns, performance.now());
      if (frame.diagnosis) actions.landed();
      if (!clock.isStill) lateness.tell(frame.t_ns, performance.now());
    },
    onHeard: () => setLine("live"),
    onLost: () => setLine(line === "connecting" ? "connecting" : "lost"),
    onRefused: async (response) => {
      refusal = await sentenceOf(response);
      frames.invalidate();
    },
    onBroken: (error) => {
      failure = error.message;
      frames.invalidate();
    },
  },
  signal,
);

/** The app's own tasks are steps only while they are shown. */
const counts = () => (choice.showsTasks ? ofLoop : ofRequests)(shownLoop());
const nowNs = () => clock.nowNs(performance.now());
const actions = makeActions(
  { viewport, choice, timeline, history, playback, counts, nowNs },
  {
    search: () => bar.search(),
    table: () => twin.toggle(),
    present: () => setPresent(!("present" in root.dataset)),
    metrics: () => metrics.toggle(),
    theme: () => theme.next(),
    help: () => showHelp(root),
    save: () => save.show(),
    stories: () => stories.list(),
    storyOn: () => stories.on(),
    storyBack: () => stories.back(),
    experiment: () => experiment.toggle(),
    close: () => (experiment.isOpen ? experiment.toggle(false) : stories.close()),
    selected: () => panels.saySelection(timeline.words()),
    loop: (id) => loops.follow(id),
  },
);
const asked = new URLSearchParams(location.search);
/** The story that the address asks for, until the stories are here. */
let coming = asked.get("story") ?? undefined;
const modes = () => {
  const { present, experiment, story = coming } = root.dataset;
  return { present, experiment, story };
};
const link = new Link({ viewport, choice, playback, nowNs, modes }, signal);
const bar = new Bar(root, { history, viewport, choice, timeline, actions }, signal);
const area = new AreaCard(root, actions, signal);
const minimap = new Minimap(root, history, viewport, nowNs, () => frames.invalidate(), signal);
const twin = new Twin(root);
const metrics = new MetricsView(root, () => frames.invalidate(), signal);
const transport = new TransportView(
  root,
  {
    actions,
    setSlowness: (slowness) => playback.setSlowness(slowness, nowNs()),
    drag: (xPx) => actions.seek(timeline.scale.toNs(Math.max(xPx, timeline.scale.leftPx))),
  },
  signal,
);
const panels = new Panels(
  root,
  { history, viewport, choice, timeline, stream, triggers, actions, playback, transport, loops, ask: makeAsk(kept) },
  signal,
);

function draw(nowMs, isChanged) {
  if (line === "live" && stream.isSilent(nowMs)) setLine("lost");
  const state = pageState.show({
    line,
    refusal,
    isLive: viewport.isLive,
    quietMs: stream.quietMs(nowMs),
    lateMs: lateness.ms(nowMs),
    loops: history.loops,
    hasDemo: Boolean(history.hello?.demo),
    isRecording: Boolean(history.hello?.recording),
    notices: history.notices,
  });
  const latestNs = clock.nowNs(nowMs);
  playback.advance(nowMs, latestNs, (ns) => nextChangeNs(history.lanes.all, counts(), ns));
  const isDrawn = timeline.draw(nowMs, latestNs, isChanged);
  const headNs = playback.atNs(latestNs);
  const headPx = timeline.scale.toPx(headNs);
  transport.showHead(viewport.isLive || headPx < timeline.scale.leftPx ? null : headPx);
  minimap.draw(nowMs, latestNs, timeline.palette);
  if (isDrawn) metrics.draw(
    {
      samples: history.metrics.of(shownLoop()),
      scale: timeline.scale,
      endNs: viewport.momentNs(latestNs),
      headNs,
      isLive: viewport.isLive,
      pointerNs: viewport.pointer ? timeline.scale.toNs(viewport.pointer.xPx) : null,
    },
    timeline.palette,
  );
  const isMore = panels.show(nowMs, latestNs, state, failure);
  if (isDrawn) bar.show(latestNs);
  if (isDrawn) area.show(history, viewport.area, latestNs);
  twin.show(history, timeline.shownLanes, { ns: headNs, ...timeline.scale, isLive: viewport.isLive, nowMs });
  const isMoving = link.keep(nowMs);
  if (line === "live" || isMore || isMoving) frames.again();
}

/** @param {"connecting" | "live" | "lost"} next */
function setLine(next) {
  if (next === "live") failure = refusal = "";
  // News are drawn in their time; that the line is lost or found, at once.
  if (next === line) return frames.again();
  line = next;
  frames.invalidate();
}

function restyle() {
  timeline.restyle();
  minimap.restyle();
  experiment.restyle();
  metrics.restyle();
  setText(part(root, "theme-name"), theme.choice);
  frames.invalidate();
}

function setPresent(isOn) {
  if (isOn) root.dataset.present = "";
  else delete root.dataset.present;
  part(root, "present").setAttribute("aria-pressed", String(isOn));
  restyle();
}

const buttons = {
  hold: actions.toggleHold,
  present: actions.present,
  theme: actions.theme,
  "open-help": actions.help,
  "open-save": actions.save,
  "open-experiment": actions.experiment,
};
for (const [name, act] of Object.entries(buttons)) {
  part(root, name).addEventListener("click", act, { signal });
}
// A button pressed with the pointer gives the keys back: Space then holds, and does not press again.
root.addEventListener(
  "click",
  (event) => {
    const button = /** @type {Element} */ (event.target).closest("button");
    if (button?.matches("[data-close]")) button.closest("dialog")?.close();
    if (button && event.detail > 0 && !button.closest("dialog")) button.blur();
  },
  { signal },
);

listenToKeys(document, actions, signal);
listenToPointer(
  timeline.element,
  viewport,
  {
    scale: () => timeline.scaleAt(nowNs()),
    nowNs,
    overflows: () => timeline.overflows,
    scrollBy: (deltaPx) => timeline.scrollBy(deltaPx),
    click: actions.click,
    doubleClick: actions.doubleClick,
  },
  signal,
);
fillHelp(root);
new Meanings(root, signal);
setPresent(asked.has("present"));
if (asked.has("experiment")) experiment.toggle(true);
const hasDemo = !part(root, "families").hidden;
if (!kept) {
  new DropView(root, () => save.show(), signal);
  triggers.load().then(
    (told) => {
      if (hasDemo) stories.begin(told, coming ?? null);
      coming = undefined;
    },
    (error) => {
      failure = `The buttons are missing: ${error.message}.`;
      frames.invalidate();
    },
  );
}
stream.open();
