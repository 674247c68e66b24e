// How the box is: asked again and again while the page can be seen, and shown in its head.

import { Problem, askJson } from "./asking.js";
import { make } from "./elements.js";
import { pause } from "./preview.js";
import { say } from "./texts.js";

const EVERY_MS = 20_000;

export const readiness = new EventTarget();
/** What was found last: {kind, parts, software_version}; kind is ready, fault, unreachable or login. */
readiness.last = null;

/** Ask now; whoever listens to "change" hears what was found. */
export async function checkReadiness() {
  readiness.last = await found();
  readiness.dispatchEvent(new Event("change"));
  return readiness.last;
}

async function found() {
  try {
    return { kind: "ready", ...(await askJson("/readyz")) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "unauthorized") return { kind: "login", parts: {} };
    if (error.code === "not-ready") return { kind: "fault", parts: error.parts };
    return { kind: "unreachable", parts: {} };
  }
}

/** Keep the head's sign of readiness up to date for as long as the page lives. */
export async function watchReadiness(sign) {
  const forever = new AbortController().signal;
  readiness.addEventListener("change", () => {
    const { kind } = readiness.last;
    sign.hidden = kind === "login";
    if (sign.hidden || sign.dataset.kind === kind) return;
    sign.dataset.kind = kind;
    sign.replaceChildren(make("span", { class: "state-dot", "aria-hidden": "true" }), say(`state.${kind}`));
  });
  while (!forever.aborted) {
    if (!document.hidden) await checkReadiness();
    await pause(EVERY_MS, forever);
  }
}
