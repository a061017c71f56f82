// @ts-check

// Builds the page once and wires it: stream → history → one frame loop → views. Knows everyone;
// nobody knows it. Leaving the page is one abort.

import { makeActions } from "./input/actions.js";
import { listenToKeys } from "./input/keys.js";
import { listenToPointer } from "./input/pan-zoom.js";
import { History } from "./model/history.js";
import { Panels } from "./ui/panels.js";
import { part, setText } from "./ui/parts.js";
import { fillHelp, showHelp } from "./ui/help.js";
import { SourceView } from "./ui/source.js";
import { TimelineView } from "./ui/timeline.js";
import { TriggersView } from "./ui/triggers.js";
import { Stream } from "./stream.js";
import { Theme } from "./theme.js";
import { LiveClock } from "./view/clock.js";
import { FrameLoop } from "./view/frame.js";
import { Viewport } from "./view/viewport.js";

const root = document.documentElement;
const leaving = new AbortController();
const { signal } = leaving;
addEventListener("pagehide", (event) => event.persisted || leaving.abort(), { signal });

const history = new History();
const clock = new LiveClock();
const frames = new FrameLoop(draw);
const viewport = new Viewport(() => frames.invalidate());
const timeline = new TimelineView(root, history, viewport, () => frames.invalidate(), signal);
const source = new SourceView(root, signal);
const triggers = new TriggersView(
  root,
  (scenario) => source.show(scenario, triggers, history.hello?.demo?.url ?? null),
  signal,
);
const theme = new Theme(root, restyle, signal);
let line = "connecting";
let failure = "";

const stream = new Stream(
  "/events",
  {
    onHello(hello) {
      // The same run with a new snapshot (we were too slow) leaves the viewer where they were.
      if (hello.run !== history.hello?.run) {
        clock.restart();
        viewport.restart();
      }
      history.begin(hello);
      clock.tell(hello.t_ns, performance.now());
      setLine("live");
    },
    onFrame(frame) {
      history.apply(frame);
      clock.tell(frame.t_ns, performance.now());
      setLine("live");
    },
    onLost: () => setLine(line === "connecting" ? "connecting" : "lost"),
    onBroken: (error) => {
      failure = error.message;
      frames.invalidate();
    },
  },
  signal,
);

const nowNs = () => clock.nowNs(performance.now());
const actions = makeActions(
  { viewport, timeline, history, nowNs },
  {
    present: () => setPresent(!("present" in root.dataset)),
    theme: () => theme.next(),
    help: () => showHelp(root),
    selected: () => panels.saySelection(timeline.words()),
  },
);
const panels = new Panels(root, { history, viewport, timeline, stream, triggers, actions }, signal);

function draw(nowMs) {
  if (line === "live" && stream.isSilent(nowMs)) setLine("lost");
  const state = line === "live" && !viewport.isLive ? "paused" : line;
  if (root.dataset.state !== state) root.dataset.state = state;
  const latestNs = clock.nowNs(nowMs);
  timeline.draw(latestNs);
  panels.show(nowMs, latestNs, state, failure);
  // While the loop is watched live, time itself is the change.
  if (line === "live") frames.invalidate();
}

function setLine(next) {
  if (next === "live") failure = "";
  line = next;
  frames.invalidate();
}

function restyle() {
  timeline.restyle();
  setText(part(root, "theme"), theme.choice);
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
  tasks: actions.toggleTasks,
};
for (const [name, act] of Object.entries(buttons)) {
  part(root, name).addEventListener("click", act, { signal });
}
// A button pressed with the pointer gives the keys back: Space then holds the picture instead of
// pressing it again.
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
    scale: () => timeline.scale,
    nowNs,
    overflows: () => timeline.overflows,
    scrollBy: (deltaPx) => timeline.scrollBy(deltaPx),
    click: actions.click,
  },
  signal,
);
fillHelp(root);
setPresent(new URLSearchParams(location.search).has("present"));
triggers.load().catch((error) => {
  failure = `The buttons are missing: ${error.message}.`;
  frames.invalidate();
});
stream.open();
