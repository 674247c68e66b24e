// How the box is, what its light says, whether its clock is right, and who looks after it.

import { loginNeeded } from "../asking.js";
import { heading, make, pairs } from "../elements.js";
import { checkReadiness, live } from "../live.js";
import { currentSession, logOut, may } from "../session.js";
import { say, sayOr } from "../texts.js";
import { showClock } from "./clock.js";

const LIGHTS = ["starting", "ready", "busy", "benign", "malignant", "uncertain", "retake", "fault", "updating"];
const PARTS = ["model", "camera", "history", "panel"];

export async function showBox(main, { signal }) {
  const state = make("div", { class: "box-state" });
  const clock = make("div", { class: "part" }, make("p", {}, say("shell.loading")));
  main.append(
    heading(1, say("box.title")),
    state,
    make("p", { class: "actions" }, make("button", { type: "button", class: "button", onclick: checkReadiness }, say("box.check"))),
    make("h2", {}, say("box.clock")),
    clock,
    make("h2", {}, say("box.session")),
    ...sessionParts(),
    ...(may("admin") ? adminParts() : []),
    make("h2", {}, say("box.light")),
    make("p", { class: "hint" }, say("box.light_hint")),
    lights(),
  );
  const tell = () => state.replaceChildren(...stateParts(live.last));
  live.addEventListener("change", tell, { signal });
  tell();
  checkReadiness();
  await showClock(clock, signal);
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

function adminParts() {
  const links = [["#/tokens", "tokens.title"], ["#/audit", "audit.title"]];
  return [
    make("h2", {}, say("admin.title")),
    make("p", { class: "actions" }, links.map(([href, key]) => make("a", { class: "button", href }, say(key)))),
  ];
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
