// @ts-check

// Hands a trace over to Perfetto's own page, as it documents: open it, knock until it answers, then
// give it the bytes. Nothing leaves this browser, and nothing is opened unless somebody pressed.

export const PERFETTO = "https://ui.perfetto.dev";
const KNOCK_MS = 100;
/** Its page is some megabytes. */
const PATIENCE_MS = 60_000;

/**
 * To be called while a click is handled: else the browser opens nothing.
 * @param {() => Promise<ArrayBuffer>} fetchTrace
 * @param {string} title
 * @param {AbortSignal} signal
 * @throws {Error} a sentence
 */
export async function openInPerfetto(fetchTrace, title, signal) {
  const tab = globalThis.open(PERFETTO);
  if (!tab) throw new Error("The browser opened no tab for Perfetto: allow this page to.");
  const [buffer] = await Promise.all([fetchTrace(), untilItAnswers(tab, signal)]);
  tab.postMessage({ perfetto: { buffer, title, fileName: "loopscope-trace.json" } }, PERFETTO);
}

/** @param {Window} tab @param {AbortSignal} signal */
function untilItAnswers(tab, signal) {
  const knocking = new AbortController();
  const until = AbortSignal.any([signal, knocking.signal]);
  return new Promise((resolve, reject) => {
    const knock = setInterval(() => tab.postMessage("PING", PERFETTO), KNOCK_MS);
    const give = setTimeout(() => {
      reject(new Error("Perfetto did not answer: save the trace and open it there by hand."));
      knocking.abort();
    }, PATIENCE_MS);
    until.addEventListener("abort", () => [knock, give].forEach(clearTimeout), { once: true });
    const hear = ({ source, origin, data }) => {
      if (source !== tab || origin !== PERFETTO || data !== "PONG") return;
      resolve(undefined);
      knocking.abort();
    };
    addEventListener("message", hear, { signal: until });
  });
}
