// The form for the token. It is sent once and kept by nobody: the browser gets a cookie it cannot read.

import { Problem, problemBox, send } from "../asking.js";
import { field, heading, make } from "../elements.js";
import { say } from "../texts.js";

/** Show the form; calls entered() once the box has let somebody in. */
export function showLogin(main, entered) {
  const token = make("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const outcome = make("div", {});
  const form = make(
    "form",
    { class: "form login", onsubmit: enter },
    heading(1, say("login.title")),
    make("p", {}, say("login.text")),
    field(say("login.token"), token, say("login.hint")),
    make("p", { class: "actions" }, make("button", { type: "submit", class: "main-button" }, say("login.enter"))),
    outcome,
  );
  main.replaceChildren(form);
  token.focus();

  async function enter(event) {
    event.preventDefault();
    try {
      await send("POST", "/login", { token: token.value.trim() });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const told = error.code === "unauthorized" ? new Problem("wrong-token", { detail: error.detail }) : error;
      outcome.replaceChildren(problemBox(told));
      token.select();
      token.focus();
      return;
    }
    token.value = "";
    entered();
  }
}
