// @ts-check

// The keyboard: one table that is both what the keys do and what the help says.
// Keys are places, not letters, so that W A S D sit under the same fingers on every layout.

/**
 * @typedef {object} Actions
 * @property {() => void} toggleHold @property {() => void} goLive
 * @property {(factor: number) => void} zoom @property {() => void} resetZoom
 * @property {(share: number) => void} pan a share of the range
 * @property {(step: number) => void} selectLane @property {(step: number) => void} selectSlice
 * @property {() => void} fit @property {() => void} toggleTasks @property {() => void} present
 * @property {() => void} theme @property {() => void} help @property {() => void} clear
 *
 * @typedef {{keys: string[], shown: string, words: string, act: (actions: Actions) => void}} Binding
 */

/** @type {readonly Binding[]} */
export const BINDINGS = Object.freeze([
  bind(["Space"], "Space", "hold the picture, or let it run again", (a) => a.toggleHold()),
  bind(["End"], "End", "back to now", (a) => a.goLive()),
  bind(["KeyW", "Equal", "NumpadAdd"], "W  +", "zoom in", (a) => a.zoom(1 / 1.5)),
  bind(["KeyS", "Minus", "NumpadSubtract"], "S  −", "zoom out", (a) => a.zoom(1.5)),
  bind(["Digit0", "Numpad0"], "0", "ten seconds wide again", (a) => a.resetZoom()),
  bind(["KeyA", "ArrowLeft"], "A  ←", "earlier", (a) => a.pan(-0.15)),
  bind(["KeyD", "ArrowRight"], "D  →", "later", (a) => a.pan(0.15)),
  bind(["ArrowUp"], "↑", "select the row above", (a) => a.selectLane(-1)),
  bind(["ArrowDown"], "↓", "select the row below", (a) => a.selectLane(1)),
  bind(["Comma"], ",", "previous slice of the selected row", (a) => a.selectSlice(-1)),
  bind(["Period"], ".", "next slice of the selected row", (a) => a.selectSlice(1)),
  bind(["KeyF"], "F", "fit the selection", (a) => a.fit()),
  bind(["KeyT"], "T", "show or hide tasks of no request", (a) => a.toggleTasks()),
  bind(["KeyP"], "P", "presenter mode", (a) => a.present()),
  bind(["KeyL"], "L", "light, dark, system", (a) => a.theme()),
  bind(["Slash", "?"], "?", "this list", (a) => a.help()),
  bind(["Escape"], "Esc", "close, or clear the selection", (a) => a.clear()),
]);

/** What only a pointer has, for the help. */
export const GESTURES = Object.freeze([
  { shown: "Drag, wheel", words: "move through time (or rows, when they overflow)" },
  { shown: "Ctrl + wheel", words: "zoom at the pointer" },
  { shown: "Click", words: "select a slice" },
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
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = /** @type {Element} */ (event.target);
      // A dialog closes itself on Esc; a field and a focused control keep their keys.
      if (target.closest("dialog, input:not([type=radio]), select, textarea, [contenteditable]")) return;
      if (event.code.startsWith("Arrow") && target.closest("input")) return;
      if ((event.code === "Space" || event.code === "Enter") && target.closest("button, a, summary")) {
        return;
      }
      const isScroller = target.closest("[data-scrolls]");
      if (isScroller && /^Arrow(Up|Down)$/.test(event.code)) return;
      const binding = BINDINGS.find(({ keys }) => keys.includes(event.code) || keys.includes(event.key));
      if (!binding) return;
      event.preventDefault();
      binding.act(actions);
    },
    { signal },
  );
}

function bind(keys, shown, words, act) {
  return Object.freeze({ keys, shown, words, act });
}
