// How the box is, what its light says, and whether its clock is right.

import { ask, loginNeeded } from "../asking.js";
import { heading, make, pairs } from "../elements.js";
import { checkReadiness, live } from "../live.js";
import { currentSession, logOut } from "../session.js";
import { say, sayCount, sayMoment, sayOr } from "../texts.js";

const LIGHTS = ["starting", "ready", "busy", "benign", "malignant", "uncertain", "retake", "fault", "updating"];
const PARTS = ["model", "camera", "history", "panel"];
const MINUTE_MS = 60_000;
// Half a minute of difference is a watch, not a fault.
const TOLERATED_MS = 90_000;

export async function showBox(main, { signal }) {
  const state = make("div", { class: "box-state" });
  const clock = make("p", {}, say("shell.loading"));
  main.append(
    heading(1, say("box.title")),
    state,
    make("p", { class: "actions" }, make("button", { type: "button", class: "button", onclick: checkReadiness }, say("box.check"))),
    make("h2", {}, say("box.clock")),
    clock,
    make("h2", {}, say("box.session")),
    ...sessionParts(),
    make("h2", {}, say("box.light")),
    make("p", { class: "hint" }, say("box.light_hint")),
    lights(),
  );
  const tell = () => state.replaceChildren(...stateParts(live.last));
  live.addEventListener("change", tell, { signal });
  tell();
  checkReadiness();
  clock.textContent = await clockWords(signal);
}

function stateParts({ kind, parts, software_version: version, certificate_sha256: fingerprint }) {
  const names = [...new Set([...PARTS, ...Object.keys(parts)])].filter((name) => name in parts);
  const rows = names.map((name) => {
    const isWell = parts[name] === "ok";
    return [
      sayOr(`part.${name}`, name),
      make("span", { class: isWell ? "well" : "unwell" }, say(isWell ? "box.well" : "box.unwell")),
      ...(isWell ? [] : [make("p", {}, sayOr(`part.${name}.remedy`, say("part.remedy"))), make("p", { class: "raw" }, parts[name])]),
    ];
  });
  return [
    make("p", { class: `lead box-kind is-${kind}` }, say(`box.${kind}`)),
    rows.length ? pairs(rows) : "",
    version ? make("p", { class: "hint" }, say("box.version", { version })) : "",
    fingerprint ? make("p", { class: "hint" }, say("box.fingerprint"), " ", make("code", {}, fingerprint)) : "",
  ];
}

function sessionParts() {
  const { role, name, is_token_needed: isNeeded } = currentSession();
  if (!isNeeded) return [make("p", {}, say("box.nobody"))];
  const leave = async () => {
    await logOut();
    loginNeeded.dispatchEvent(new Event("needed"));
  };
  return [
    make("p", {}, say("box.who", { name, role: say(`role.${role}`) })),
    make("p", { class: "actions" }, make("button", { type: "button", class: "button", onclick: leave }, say("box.leave"))),
  ];
}

async function clockWords(signal) {
  const response = await ask("/healthz", { signal });
  const told = response.headers.get("Date");
  // A body that nobody reads keeps its connection.
  await response.text();
  const difference = Math.abs(Date.now() - new Date(told));
  if (!told || Number.isNaN(difference)) return say("box.clock_unknown");
  if (difference < TOLERATED_MS) return say("box.clock_right", { time: sayMoment(told) });
  return say("box.clock_wrong", { time: sayMoment(told), difference: sayCount("unit.minutes", Math.round(difference / MINUTE_MS)) });
}

function lights() {
  return make(
    "ul",
    { class: "lights" },
    LIGHTS.map((name) =>
      make(
        "li",
        {},
        make("strong", {}, say(`light.${name}.meaning`)),
        make("span", { class: `rhythm is-${name}`, "aria-hidden": "true" }),
        make("span", { class: "hint" }, say(`light.${name}.pattern`)),
      ),
    ),
  );
}
