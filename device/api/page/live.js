// How the box is and what it answers, told by the box itself while this page can be seen.

import { Problem, askJson, loginNeeded } from "./asking.js";
import { make } from "./elements.js";
import { openSession } from "./session.js";
import { say } from "./texts.js";

const AGAIN_MS = 20_000;
// An answer that is lit is no state of its own here: the box is ready for the next.
const KINDS = { starting: "starting", updating: "updating", busy: "busy", fault: "fault" };

/** Tells "change" when the box is otherwise than before, and "result" with each answer. */
export const live = new EventTarget();
/** What is known: {kind, parts, provider, software_version, model, certificate_sha256}. */
live.last = { kind: "unknown", parts: {} };

let source = null;
let timer = null;

/** Begin; from then on the box is listened to whenever the page can be seen. */
export function follow(sign) {
  live.addEventListener("change", () => show(sign));
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : open()));
  loginNeeded.addEventListener("needed", stop);
  open();
  checkReadiness();
}

/** Listen, unless that is so already. */
export function open() {
  if (source || document.hidden) return;
  clearTimeout(timer);
  source = new EventSource("/events");
  source.addEventListener("state", (event) => tell(known(JSON.parse(event.data))));
  source.addEventListener("result", (event) => live.dispatchEvent(new CustomEvent("result", { detail: JSON.parse(event.data) })));
  source.addEventListener("error", lose);
}

/** Let the box try its parts now. */
export async function checkReadiness() {
  try {
    tell(known(tried(await askJson("/readyz"))));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "not-ready") tell({ ...tried({ parts: error.parts }), kind: "fault" });
    else if (error.code === "unreachable") tell({ kind: "unreachable", parts: {} });
  }
}

function stop() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

async function lose() {
  // The browser tries again by itself, unless the box answered that it must not.
  if (source?.readyState !== EventSource.CLOSED) {
    tell({ kind: "unreachable", parts: {} });
    return;
  }
  stop();
  timer = setTimeout(open, AGAIN_MS);
  try {
    await openSession();
    await checkReadiness();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** Readiness knows nothing of button and light: what the box says of them counts, as long as it is heard. */
function tried(found) {
  const heard = source ? live.last : { ...live.last, state: undefined, parts: {} };
  return { ...heard, ...found, parts: { ...heard.parts, ...found.parts } };
}

function known(state) {
  const isWell = Object.values(state.parts).every((part) => part === "ok");
  // What computes the model does not change, and only readiness tells it.
  return { provider: live.last.provider, ...state, kind: isWell ? (KINDS[state.state] ?? "ready") : "fault" };
}

function tell(found) {
  live.last = found;
  live.dispatchEvent(new Event("change"));
}

function show(sign) {
  const { kind } = live.last;
  sign.hidden = false;
  if (sign.dataset.kind === kind) return;
  sign.dataset.kind = kind;
  sign.replaceChildren(make("span", { class: "state-dot", "aria-hidden": "true" }), say(`state.${kind}`));
}
