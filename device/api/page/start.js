// Joins the views: which one the address asks for, and the login before all of them.

import { Problem, loginNeeded, problemBox } from "./asking.js";
import { heading, make } from "./elements.js";
import { follow, open } from "./live.js";
import { openSession } from "./session.js";
import { say } from "./texts.js";
import { showAudit } from "./views/audit.js";
import { showBox } from "./views/box.js";
import { showExamine } from "./views/examine.js";
import { showLesion, showLesions } from "./views/lesions.js";
import { showLogin } from "./views/login.js";
import { showModel } from "./views/model.js";
import { showResult } from "./views/result.js";
import { showResults } from "./views/results.js";
import { showTokens } from "./views/tokens.js";

// Address after the hash, the view, and the tab that it belongs to.
const VIEWS = [
  [/^$/, showExamine, "examine"],
  [/^results$/, showResults, "results"],
  [/^results\/([^/]+)$/, showResult, "results"],
  [/^lesions$/, showLesions, "lesions"],
  [/^lesion$/, showLesion, "lesions"],
  [/^model$/, showModel, "model"],
  [/^box$/, showBox, "box"],
  [/^tokens$/, showTokens, "box"],
  [/^audit$/, showAudit, "box"],
];

const main = document.getElementById("main");
let leaving = new AbortController();
let isFirst = true;

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const address = location.hash.replace(/^#\/?/, "");
  const [pattern, view, tab] = VIEWS.find(([one]) => one.test(address)) ?? [/^/, showNowhere, ""];
  mark(tab);
  const place = make("div", { class: "view" });
  main.replaceChildren(place);
  if (!isFirst) window.scrollTo(0, 0);
  try {
    const shown = view(place, { id: pattern.exec(address)?.[1], state: history.state, signal });
    focusTitle(place);
    await shown;
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Problem && error.code === "unauthorized") return;
    place.append(problemBox(error, make("button", { type: "button", class: "button", onclick: show }, say("shell.again"))));
    if (!(error instanceof Problem)) throw error;
  }
}

/** Readers begin at the title of what is new; at the first visit they begin at the top. */
function focusTitle(place) {
  const title = place.querySelector("h1");
  document.title = say("shell.title", { title: title?.textContent ?? "" });
  if (!isFirst) title?.focus({ preventScroll: true });
  isFirst = false;
}

function mark(tab) {
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function showNowhere(place) {
  place.append(heading(1, say("nowhere.title")), make("p", {}, make("a", { href: "#/" }, say("nowhere.back"))));
}

function showEntrance() {
  if (document.body.classList.contains("is-outside")) return;
  leaving.abort();
  document.body.classList.add("is-outside");
  document.title = say("shell.title", { title: say("login.title") });
  showLogin(main, async () => {
    await openSession();
    document.body.classList.remove("is-outside");
    open();
    show();
  });
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
loginNeeded.addEventListener("needed", showEntrance);
window.addEventListener("popstate", show);
await begin();

/** Whose page it is comes first: a browser that must log in asks for nothing else. */
async function begin() {
  try {
    await openSession();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code !== "unauthorized") {
      main.replaceChildren(problemBox(error, make("button", { type: "button", class: "button", onclick: begin }, say("shell.again"))));
      return;
    }
  }
  if (!document.body.classList.contains("is-outside")) show();
  follow(document.getElementById("state"));
}
