// Talks to the box. Whatever is no answer is a Problem, which never stands for an answer.

import { make } from "./elements.js";
import { say, sayOr } from "./texts.js";

export class Problem extends Error {
  constructor(code, { status = 0, detail = "", parts = {}, retryAfterS = null } = {}) {
    super(code);
    Object.assign(this, { code, status, detail, parts, retryAfterS });
  }

  get title() {
    return sayOr(`problem.${this.code}.title`, say("problem.unknown.title"));
  }

  get remedy() {
    return sayOr(`problem.${this.code}.remedy`, say("problem.unknown.remedy"));
  }
}

/** Whoever shows the login is told here that one is needed. */
export const loginNeeded = new EventTarget();

/** Ask the box; gives the response, or throws a Problem. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem("unreachable");
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.code === "unauthorized" && path !== "/login") loginNeeded.dispatchEvent(new Event("needed"));
  throw problem;
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** Send a JSON body. */
export function send(method, path, body, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { ...options, method, headers, body: JSON.stringify(body) });
}

/** A path with those parameters that have a value. */
export function withQuery(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

export const resultPath = (id, file) => `/results/${encodeURIComponent(id)}${file ? `/${file}` : ""}`;

async function problemOf(response) {
  const wait = Number(response.headers.get("Retry-After"));
  const facts = { status: response.status, retryAfterS: wait > 0 ? wait : null };
  try {
    const { code, detail, parts } = await response.json();
    return new Problem(String(code), { ...facts, detail: String(detail), parts: parts ?? {} });
  } catch {
    return new Problem("unknown", facts);
  }
}

/** What went wrong, what to do, and the box's own words for whoever looks after it. */
export function problemBox(problem, ...actions) {
  const known = problem instanceof Problem ? problem : new Problem("page", { detail: String(problem) });
  return make(
    "div",
    { class: "problem", role: "alert" },
    make("h2", {}, known.title),
    make("p", {}, known.remedy),
    actions.length ? make("p", { class: "actions" }, ...actions) : null,
    known.detail
      ? make("details", { class: "more" }, make("summary", {}, say("problem.details")), make("p", { class: "raw" }, known.detail))
      : null,
  );
}
