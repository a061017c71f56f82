// @ts-check

// One press of a story's button: sends it for real, and asks until the outcome is there. Keeps nothing.

/** How often we ask how far it has come: a poll is one small answer, and nobody waits for less. */
const POLL_MS = 150;
/** Longer than any story takes; after that something is wrong, and is said. */
const PATIENCE_MS = 60_000;

/**
 * @typedef {object} Outcome
 * @property {string} id @property {string} scenario @property {boolean} done
 * @property {number} expected @property {number} sent @property {string} trouble
 * @property {string} explanation
 * @property {Record<string, number | string | null>} facts
 * @property {Record<string, string>} words
 * @property {{id: number, is_other: boolean, start_ns: number, end_ns: number, status: number}[]} requests
 */

/**
 * @param {string} scenario
 * @param {Record<string, number>} params
 * @param {AbortSignal} signal
 * @param {(outcome: Outcome) => void} [onProgress] called with each look at it
 * @returns {Promise<Outcome>} throws with the server's own sentence
 */
export async function press(scenario, params, signal, onProgress = () => {}) {
  const { batch } = await ask(`/api/trigger/${encodeURIComponent(scenario)}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ params }),
    signal,
  });
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const outcome = await ask(`/api/batches/${batch}`, { signal });
    onProgress(outcome);
    if (outcome.done) return outcome;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("It has not come to its end within a minute.");
}

async function ask(url, options) {
  const response = await fetch(url, options);
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const detail = typeof body.detail === "string" ? body.detail : `The dashboard answered ${response.status}.`;
  throw new Error(detail);
}
