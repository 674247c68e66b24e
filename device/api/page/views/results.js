// The history: what was answered before, to be looked for and handed out.

import { Problem, askJson, problemBox, withQuery } from "../asking.js";
import { announce, choice, field, heading, make } from "../elements.js";
import { RESULTS, shape } from "../shapes.js";
import { thumbnail } from "../picture.js";
import { may } from "../session.js";
import { say, sayCount, sayMoment, sayProbability } from "../texts.js";

const PAGE = 25;
const DAY_MS = 24 * 3600 * 1000;

// What was looked for last. It holds references to patients, so it stands in no address.
let wanted = {};

export async function showResults(main) {
  const list = make("ol", { class: "results" });
  const below = make("div", {});
  const count = make("p", { class: "hint" });
  const csv = make("a", { class: "button", download: true }, say("results.csv"));
  const form = filterForm(wanted, (chosen) => {
    wanted = chosen;
    look();
  });
  main.append(
    make("div", { class: "title-row" }, heading(1, say("results.title")), may("operate") ? csv : null),
    form,
    count,
    list,
    below,
  );
  let turn = 0;
  await look();

  async function look() {
    turn += 1;
    list.replaceChildren();
    csv.href = withQuery("/results.csv", parameters(wanted));
    await load(null, turn);
  }

  async function load(cursor, mine) {
    below.replaceChildren(make("p", { class: "hint" }, say("shell.loading")));
    let page;
    try {
      page = await askJson(withQuery("/results", { ...parameters(wanted), limit: PAGE, cursor }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      below.replaceChildren(problemBox(error, make("button", { type: "button", class: "button", onclick: () => load(cursor, mine) }, say("shell.again"))));
      return;
    }
    // Somebody filtered anew meanwhile.
    if (mine !== turn) return;
    const rows = page.results.map(row);
    list.append(...rows);
    const shown = list.childElementCount;
    count.textContent = shown ? sayCount(page.next === null ? "results.count" : "results.count_more", shown) : "";
    announce(count.textContent || say("results.none"));
    below.replaceChildren(
      ...(shown === 0 ? [make("p", { class: "empty" }, say(Object.keys(parameters(wanted)).length ? "results.none_match" : "results.none"))] : []),
      ...(page.next === null ? [] : [make("button", { type: "button", class: "button", onclick: () => load(page.next, mine) }, say("results.more"))]),
    );
    if (cursor !== null) rows[0]?.querySelector("a").focus();
  }
}

/** One result as a line of a list. */
function row(result) {
  const facts = [
    [say("annotation.patient"), result.patient_reference],
    [say("annotation.lesion"), result.lesion_reference],
    [say("annotation.diagnosis"), result.confirmed_diagnosis],
  ].filter(([, value]) => value);
  return make(
    "li",
    {},
    make(
      "a",
      { class: "result", href: `#/results/${result.id}` },
      make("span", { class: "result-picture" }, thumbnail(result)),
      shape(result.result),
      make(
        "span",
        { class: "result-words" },
        make("strong", {}, say(`result.${result.result}.word`)),
        result.result === "retake" ? null : make("span", {}, sayProbability(result.probability_malignant)),
      ),
      make("span", { class: "result-facts" }, facts.map(([name, value]) => make("span", { class: "fact" }, make("span", { class: "fact-name" }, `${name} `), value))),
      make("time", { datetime: result.captured_at }, sayMoment(result.captured_at)),
    ),
  );
}

function parameters({ result, patient, lesion, from, until }) {
  const given = {
    result,
    patient_reference: patient,
    lesion_reference: lesion,
    captured_from: from ? new Date(`${from}T00:00`).toISOString() : "",
    captured_before: until ? new Date(new Date(`${until}T00:00`).getTime() + DAY_MS).toISOString() : "",
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}

function filterForm(chosen, apply) {
  const result = choice("result", [["", say("results.every")], ...RESULTS.map((word) => [word, say(`result.${word}.word`)])], chosen.result ?? "");
  const text = (name) => make("input", { name, type: "search", autocomplete: "off", spellcheck: "false", maxlength: 64, value: chosen[name] });
  const date = (name) => make("input", { name, type: "date", max: "9998-12-31", value: chosen[name] });
  const inputs = { result, patient: text("patient"), lesion: text("lesion"), from: date("from"), until: date("until") };
  const form = make(
    "form",
    { class: "filter", role: "search", "aria-label": say("results.filter") },
    field(say("results.result"), inputs.result),
    field(say("annotation.patient"), inputs.patient),
    field(say("annotation.lesion"), inputs.lesion),
    field(say("results.from"), inputs.from),
    field(say("results.until"), inputs.until),
    make(
      "p",
      { class: "actions" },
      make("button", { type: "submit", class: "button" }, say("results.show")),
      make("button", { type: "reset", class: "quiet" }, say("results.all")),
    ),
  );
  const read = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply(read());
  });
  form.addEventListener("reset", (event) => {
    // The form's own idea of a reset is what it began with.
    event.preventDefault();
    for (const input of Object.values(inputs)) input.value = "";
    apply({});
  });
  return make("details", { class: "more filter-part", open: Object.values(chosen).some(Boolean) }, make("summary", {}, say("results.filter")), form);
}
