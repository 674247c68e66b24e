// How the box is, what its light says, whether its clock is right, and who looks after it.

import { Problem, askJson, loginNeeded, problemBox } from "../asking.js";
import { heading, make, pairs } from "../elements.js";
import { checkReadiness, live } from "../live.js";
import { currentSession, logOut, may } from "../session.js";
import { say, sayGibibytes, sayNumber, sayOr } from "../texts.js";
import { showClock } from "./clock.js";

const LIGHTS = ["starting", "ready", "busy", "benign", "malignant", "uncertain", "retake", "fault", "updating"];
const PARTS = ["model", "camera", "history", "panel"];

export async function showBox(main, { signal }) {
  const state = make("div", { class: "box-state" });
  const board = make("div", {}, make("p", {}, say("shell.loading")));
  const clock = make("div", { class: "part" }, make("p", {}, say("shell.loading")));
  main.append(
    heading(1, say("box.title")),
    state,
    make("p", { class: "actions" }, make("button", { type: "button", class: "button", onclick: check }, say("box.check"))),
    make("h2", {}, say("box.board")),
    board,
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
  check();
  await showClock(clock, signal);

  async function check() {
    checkReadiness();
    try {
      board.replaceChildren(pairs(boardRows(await askJson("/board", { signal }))));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      board.replaceChildren(problemBox(error));
    }
  }
}

function stateParts({ kind, parts, provider, software_version: version, model, certificate_sha256: fingerprint }) {
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
    provider ? make("p", { class: "hint" }, say("box.provider", { provider: sayOr(`provider.${provider}`, provider) })) : "",
    version ? make("p", { class: "hint" }, say("box.version", { version })) : "",
    ...(model ? modelParts(model) : []),
    fingerprint ? make("p", { class: "hint" }, say("box.fingerprint"), " ", make("code", {}, fingerprint)) : "",
  ];
}

function modelParts({ name, version, source, is_on_trial: isOnTrial, instead_of: insteadOf }) {
  return [
    make("p", { class: "hint" }, say("box.model", { name, version, source: say(`box.model.${source}`) })),
    isOnTrial ? make("p", {}, say("box.model.trial")) : "",
    ...(insteadOf ? [make("p", {}, say("box.model.instead")), make("p", { class: "raw" }, insteadOf)] : []),
  ];
}

function boardRows({ temperatures_celsius: temperatures, limit_celsius: limit, limited, limited_since_start: earlier, storage_free_bytes: free, storage_size_bytes: size }) {
  const hottest = Math.max(...Object.values(temperatures));
  return [
    [
      say("board.temperature"),
      Number.isFinite(hottest) ? say("board.celsius", { value: sayNumber(hottest) }) : say("board.unknown"),
      limit === null ? "" : make("p", { class: "hint" }, say("board.limit", { value: sayNumber(limit) })),
    ],
    [say("board.supply"), ...supply(limited, earlier)],
    [say("board.storage"), free === null ? say("board.unknown") : say("board.free", { free: sayGibibytes(free), size: sayGibibytes(size) })],
  ];
}

/** What holds the board back, or did so earlier; a board that does not tell is no board that is well. */
function supply(limited, earlier) {
  const named = (flags) => Object.keys(flags).filter((name) => flags[name]).map((name) => sayOr(`board.flag.${name}`, name));
  const [now, before] = [named(limited), named(earlier)];
  if (!Object.keys(limited).length) return [say("board.unknown")];
  return [
    make("span", { class: now.length ? "unwell" : "well" }, now.length ? now.join(", ") : say("board.well")),
    before.length && !now.length ? make("p", {}, say("board.earlier", { what: before.join(", ") })) : "",
    now.length || before.length ? make("p", {}, say("board.remedy")) : "",
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
