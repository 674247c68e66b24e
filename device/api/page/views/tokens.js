// Who may enter, for an admin: the tokens that are not revoked, and an end to one of them.

import { Problem, ask, askJson, loginNeeded, problemBox } from "../asking.js";
import { confirmed } from "../confirming.js";
import { heading, make, pairs } from "../elements.js";
import { currentSession, may } from "../session.js";
import { say, sayCount, sayDay } from "../texts.js";

const ROLES = ["read", "operate", "admin"];
const COMMAND = "python -m device token add NAME --role ROLE";

export async function showTokens(main, { signal }) {
  const place = make("div", { class: "view" });
  main.append(
    make("p", { class: "back" }, make("a", { href: "#/box" }, say("admin.back"))),
    heading(1, say("tokens.title")),
    place,
    make("h2", {}, say("tokens.new")),
    make("p", {}, say("tokens.made")),
    make("p", {}, make("code", { class: "command" }, COMMAND)),
    pairs(ROLES.map((role) => [make("code", {}, role), say(`role.${role}`)])),
  );
  if (may("admin")) await list(place, signal);
  else place.append(make("p", { class: "empty" }, say("admin.only")));
}

async function list(place, signal) {
  const { tokens } = await askJson("/tokens", { signal });
  place.replaceChildren(
    make("p", { class: "hint" }, tokens.length ? sayCount("tokens.count", tokens.length) : say("tokens.none")),
    make("ul", { class: "entries" }, tokens.map((token) => row(token, place, signal))),
  );
}

function row(token, place, signal) {
  return make(
    "li",
    { class: "with-action" },
    make(
      "div",
      {},
      make("strong", {}, token.name),
      make(
        "p",
        { class: "facts hint" },
        make("span", {}, say(`role.${token.role}`)),
        make("span", {}, say("tokens.since", { day: sayDay(token.created_at) })),
        make("code", {}, token.token_id),
        isOwn(token) ? make("span", { class: "well" }, say("tokens.yours")) : null,
      ),
    ),
    make("button", { type: "button", class: "danger", "aria-label": say("tokens.revoke_one", { name: token.name }), onclick: () => revoke(token, place, signal) }, say("tokens.revoke")),
  );
}

const isOwn = (token) => token.token_id === currentSession().token_id;

async function revoke(token, place, signal) {
  const isMeant = await confirmed({
    title: say("tokens.question", { name: token.name }),
    text: say(isOwn(token) ? "tokens.question_own" : "tokens.question_text"),
    yes: say("tokens.revoke"),
    no: say("tokens.keep"),
  });
  if (!isMeant) return;
  try {
    await (await ask(`/tokens/${encodeURIComponent(token.token_id)}`, { method: "DELETE" })).text();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    await list(place, signal);
    place.append(problemBox(error));
    return;
  }
  if (signal.aborted) return;
  if (isOwn(token)) {
    loginNeeded.dispatchEvent(new Event("needed"));
    return;
  }
  await list(place, signal);
  const done = make("p", { class: "done", tabindex: "-1" }, say("tokens.done", { name: token.name }));
  place.append(done);
  done.focus();
}
