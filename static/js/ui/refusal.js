// @ts-check

// What to say when the dashboard refuses.

/** The server's own sentence; FastAPI's list of faults, when it sends that instead. */
export async function sentenceOf(response) {
  const body = await response.json().catch(() => ({}));
  if (typeof body.detail === "string") return body.detail;
  if (Array.isArray(body.detail)) return body.detail.map(({ msg }) => msg).join("; ");
  return `Not sent: the dashboard answered ${response.status}.`;
}
