// @ts-check

// The keyboard: one table that is both what the keys do and what the help says.
// Keys are places, not letters, so that W A S D sit under the same fingers on every layout; signs such
// as / + ? are found wherever the layout has them.

/**
 * @typedef {object} Actions
 * @property {() => void} toggleHold @property {() => void} goLive @property {() => void} justNow
 * @property {(factor: number) => void} zoom @property {() => void} resetZoom
 * @property {(share: number) => void} pan a share of the range
 * @property {(step: number) => void} selectLane @property {(step: number) => void} selectSlice
 * @property {(direction: number) => void} step @property {() => void} togglePlay
 * @property {(direction: number) => void} turnSpeed
 * @property {(px: number) => void} scrollRows
 * @property {() => void} fit @property {() => void} mark @property {() => void} pin
 * @property {() => void} waker
 * @property {() => void} fold @property {() => void} group @property {() => void} search
 * @property {() => void} table @property {() => void} undo @property {() => void} redo
 * @property {() => void} toggleTasks @property {() => void} present
 * @property {() => void} stories @property {() => void} storyOn @property {() => void} storyBack
 * @property {() => void} metrics
 * @property {() => void} theme @property {() => void} help @property {() => void} clear
 * @property {() => void} experiment @property {() => void} save
 *
 * @typedef {{keys: string[], shown: string, words: string, act: (actions: Actions) => void}} Binding
 */

/** One press scrolls the rows by about three. */
const ROWS_PX = 80;

/** @type {readonly Binding[]} */
export const BINDINGS = Object.freeze([
  bind(["Space"], "Space", "hold the picture, or let it run again", (a) => a.toggleHold()),
  bind(["End"], "End", "back to now", (a) => a.goLive()),
  bind(["KeyB"], "B", "what just happened? hold the last 30 s", (a) => a.justNow()),
  bind(["KeyW", "Equal", "NumpadAdd", "+"], "W  +", "zoom in", (a) => a.zoom(1 / 1.5)),
  bind(["KeyS", "Minus", "NumpadSubtract", "-"], "S  −", "zoom out", (a) => a.zoom(1.5)),
  bind(["Digit0", "Numpad0"], "0", "ten seconds wide again", (a) => a.resetZoom()),
  bind(["KeyA", "ArrowLeft"], "A  ←", "earlier", (a) => a.pan(-0.15)),
  bind(["KeyD", "ArrowRight"], "D  →", "later", (a) => a.pan(0.15)),
  bind(["Backspace"], "Backspace  Ctrl Z", "undo a move through time", (a) => a.undo()),
  bind(["Shift Backspace"], "Shift Backspace", "redo it", (a) => a.redo()),
  bind(["ArrowUp"], "↑", "select the row above", (a) => a.selectLane(-1)),
  bind(["ArrowDown"], "↓", "select the row below", (a) => a.selectLane(1)),
  bind(["Shift ArrowUp"], "Shift ↑", "scroll the rows up", (a) => a.scrollRows(-ROWS_PX)),
  bind(["Shift ArrowDown"], "Shift ↓", "scroll the rows down", (a) => a.scrollRows(ROWS_PX)),
  bind(["Comma"], ",", "one step of the loop back", (a) => a.step(-1)),
  bind(["Period"], ".", "one step of the loop forward", (a) => a.step(1)),
  bind(["Shift Comma"], "Shift ,", "previous slice of the selected row", (a) => a.selectSlice(-1)),
  bind(["Shift Period"], "Shift .", "next slice of the selected row", (a) => a.selectSlice(1)),
  bind(["KeyR"], "R", "replay in slow motion, or stop", (a) => a.togglePlay()),
  bind(["BracketLeft"], "[", "slower", (a) => a.turnSpeed(1)),
  bind(["BracketRight"], "]", "faster", (a) => a.turnSpeed(-1)),
  bind(["KeyF"], "F", "fit the marked stretch, or the selection", (a) => a.fit()),
  bind(["KeyM"], "M", "mark and measure the selection, or all in sight", (a) => a.mark()),
  bind(["KeyI"], "I", "pin the selected row to the top, or let it go", (a) => a.pin()),
  bind(["KeyU"], "U", "go to who woke the selected slice, or what it waits for", (a) => a.waker()),
  bind(["KeyX"], "X", "unfold the selected request's tasks", (a) => a.fold()),
  bind(["KeyG"], "G", "rows as they came, by route or coroutine, by the line that made the task, by worker", (a) => a.group()),
  bind(["KeyT"], "T", "show or hide tasks of no request", (a) => a.toggleTasks()),
  bind(["Slash", "/"], "/", "filter rows; Enter finds the next slice", (a) => a.search()),
  bind(["KeyV"], "V", "the same as a table", (a) => a.table()),
  bind(["PageDown"], "PgDn", "the stories as a talk: send, then on", (a) => a.storyOn()),
  bind(["PageUp"], "PgUp", "back in the talk", (a) => a.storyBack()),
  bind(["KeyO"], "O", "all stories", (a) => a.stories()),
  bind(["KeyN"], "N", "numbers over time, or the loop drawn", (a) => a.metrics()),
  bind(["KeyP"], "P", "presenter mode", (a) => a.present()),
  bind(["KeyE"], "E", "throughput against users", (a) => a.experiment()),
  bind(["KeyK"], "K", "save, or hand over to other tools", (a) => a.save()),
  bind(["KeyL"], "L", "light, dark, system", (a) => a.theme()),
  bind(["Shift Slash", "?"], "?", "this list", (a) => a.help()),
  bind(["Escape"], "Esc", "clear the selection, else close what is open", (a) => a.clear()),
]);

/** What only a pointer has, for the help. */
export const GESTURES = Object.freeze([
  { shown: "Drag, wheel", words: "move through time (or rows, when they overflow)" },
  { shown: "Ctrl + wheel", words: "zoom at the pointer; two fingers do the same" },
  { shown: "Tap", words: "select a slice, and be told what it is" },
  { shown: "Shift + drag", words: "mark a stretch: its length, totals and culprits" },
  { shown: "Click", words: "select a slice; held, it sets the moment shown" },
  { shown: "Double click", words: "fit a slice; on a name: pin the row" },
]);

/**
 * @param {Document} page
 * @param {Actions} actions
 * @param {AbortSignal} signal
 */
export function listenToKeys(page, actions, signal) {
  page.addEventListener(
    "keydown",
    (event) => {
      const target = /** @type {Element} */ (event.target);
      // A dialog closes itself on Esc; a field and a focused control keep their keys.
      if (target.closest("dialog, input:not([type=radio]), select, textarea, [contenteditable]")) return;
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z") {
        event.preventDefault();
        if (event.shiftKey) actions.redo();
        else actions.undo();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.code.startsWith("Arrow") && target.closest("input")) return;
      if ((event.code === "Space" || event.code === "Enter") && target.closest("button, a, summary")) {
        return;
      }
      const isScroller = target.closest("[data-scrolls]");
      if (isScroller && /^Arrow(Up|Down)$/.test(event.code)) return;
      const binding = bindingOf(event);
      if (!binding) return;
      event.preventDefault();
      binding.act(actions);
    },
    { signal },
  );
}

/**
 * A sign is found wherever the layout has it, all else by its place. A key with Shift is its own key
 * where it has a use of its own, else it is the plain one.
 * @param {{code: string, key: string, shiftKey: boolean}} event
 */
export function bindingOf({ code, key, shiftKey }) {
  const of = (name) => BINDINGS.find(({ keys }) => keys.includes(name));
  return of(key.length === 1 ? key : "") || (shiftKey && of(`Shift ${code}`)) || of(code);
}

function bind(keys, shown, words, act) {
  return Object.freeze({ keys, shown, words, act });
}
