// Who did what to the box, for an admin.

import { Problem, askJson, problemBox, withQuery } from "../asking.js";
import { announce, heading, make } from "../elements.js";
import { may } from "../session.js";
import { say, sayCount, sayMoment, sayOr } from "../texts.js";

const PAGE = 50;

export async function showAudit(main, { signal }) {
  const list = make("ol", { class: "entries" });
  const below = make("div", {});
  const count = make("p", { class: "hint" });
  main.append(
    make("p", { class: "back" }, make("a", { href: "#/box" }, say("admin.back"))),
    heading(1, say("audit.title")),
    make("p", {}, say("audit.text")),
    count,
    list,
    below,
  );
  if (may("admin")) await load(null);
  else below.append(make("p", { class: "empty" }, say("admin.only")));

  async function load(cursor) {
    below.replaceChildren(make("p", { class: "hint" }, say("shell.loading")));
    let page;
    try {
      page = await askJson(withQuery("/audit", { limit: PAGE, cursor }), { signal });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      below.replaceChildren(problemBox(error, make("button", { type: "button", class: "button", onclick: () => load(cursor) }, say("shell.again"))));
      return;
    }
    const rows = page.entries.map(row);
    list.append(...rows);
    const shown = list.childElementCount;
    count.textContent = shown ? sayCount(page.next === null ? "audit.count" : "audit.count_more", shown) : "";
    announce(count.textContent || say("audit.none"));
    below.replaceChildren(
      ...(shown === 0 ? [make("p", { class: "empty" }, say("audit.none"))] : []),
      ...(page.next === null ? [] : [make("button", { type: "button", class: "button", onclick: () => load(page.next) }, say("results.more"))]),
    );
    if (cursor !== null) rows[0]?.focus();
  }
}

function row({ at, clock_trusted: isTrusted, act, subject, actor }) {
  return make(
    "li",
    { tabindex: "-1" },
    make("strong", {}, sayOr(`act.${keyOf(act)}`, act)),
    make("code", {}, subject),
    make(
      "p",
      { class: "facts hint" },
      make("time", { datetime: at }, sayMoment(at)),
      isTrusted ? null : make("span", {}, say("record.clock_untrusted")),
      make("span", {}, who(actor)),
    ),
  );
}

/** The box writes whose token it was behind the way by which it was used. */
function who(actor) {
  const [way, token] = actor.split(/: (.*)/s);
  return token === undefined ? sayOr(`actor.${keyOf(way)}`, way) : say("actor.token", { token });
}

/** The box's word as the end of a key. */
function keyOf(words) {
  return words.replace(/\W+/g, "_").replace(/_$/, "");
}
