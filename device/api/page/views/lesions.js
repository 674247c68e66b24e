// The lesions that results name, and one of them over time, side by side.

import { Problem, askJson, problemBox, withQuery } from "../asking.js";
import { announce, field, heading, make } from "../elements.js";
import { go, lesionLink } from "../links.js";
import { heatmapOf, noPicture, pictureOf } from "../picture.js";
import { shape } from "../shapes.js";
import { say, sayCount, sayDay, sayProbability } from "../texts.js";

const PAGE = 50;
const DAY_MS = 24 * 3600 * 1000;

export async function showLesions(main) {
  const list = make("ul", { class: "lesions" });
  const below = make("div", {});
  const patient = make("input", { type: "search", name: "patient", autocomplete: "off", spellcheck: "false", maxlength: 64 });
  const form = make(
    "form",
    { class: "filter one-line", role: "search", "aria-label": say("results.filter"), onsubmit: look },
    field(say("annotation.patient"), patient),
    make("p", { class: "actions" }, make("button", { type: "submit", class: "button" }, say("results.show"))),
  );
  main.append(heading(1, say("lesions.title")), make("p", { class: "hint" }, say("lesions.hint")), form, list, below);
  await look();

  async function look(event) {
    event?.preventDefault();
    list.replaceChildren();
    await load(null);
  }

  async function load(cursor) {
    below.replaceChildren(make("p", { class: "hint" }, say("shell.loading")));
    let page;
    try {
      page = await askJson(withQuery("/lesions", { patient_reference: patient.value.trim(), limit: PAGE, cursor }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      below.replaceChildren(problemBox(error));
      return;
    }
    const rows = page.lesions.map(summary);
    list.append(...rows);
    below.replaceChildren(
      ...(list.childElementCount ? [] : [make("p", { class: "empty" }, say("lesions.none"))]),
      ...(page.next === null ? [] : [make("button", { type: "button", class: "button", onclick: () => load(page.next) }, say("results.more"))]),
    );
    announce(sayCount("lesions.count", list.childElementCount));
    if (cursor !== null) rows[0]?.querySelector("a").focus();
  }
}

function summary({ lesion_reference: lesion, patient_reference: patient, ...known }) {
  const link = lesionLink(
    lesion,
    patient,
    shape(known.last_result),
    make("span", { class: "result-words" }, make("strong", {}, lesion), make("span", {}, patient ?? say("lesions.nobody"))),
    make("span", { class: "result-facts" }, make("span", { class: "fact" }, sayCount("lesions.pictures", known.results)), make("span", { class: "fact" }, say("lesions.last", { word: say(`result.${known.last_result}.word`) }))),
    make("time", { datetime: known.last_captured_at }, sayDay(known.last_captured_at)),
  );
  link.classList.add("result");
  return make("li", {}, link);
}

export async function showLesion(main, { state, signal }) {
  if (!state?.lesion) {
    // Opened in a tab of its own, where nobody knows which lesion is meant.
    go("#/lesions");
    return;
  }
  main.append(make("p", { class: "back" }, make("a", { href: "#/lesions" }, say("lesions.back"))), heading(1, say("lesion.title", { lesion: state.lesion })));
  const path = `/lesions/${encodeURIComponent(state.lesion)}`;
  const lesion = await askJson(withQuery(path, { patient_reference: state.patient }), { signal });
  const strip = make("ol", { class: "strip", tabindex: "0", "aria-label": say("lesion.strip") });
  const toggle = make("button", { type: "button", class: "toggle", "aria-pressed": "false", onclick: () => turn(toggle.getAttribute("aria-pressed") !== "true") }, say("heatmap.show"));
  const turn = (toHeatmap) => {
    toggle.setAttribute("aria-pressed", String(toHeatmap));
    strip.replaceChildren(...lesion.results.map((result, index) => moment(result, lesion.results[index - 1], toHeatmap)));
  };
  turn(false);
  const shown = lesion.results.length;
  main.append(
    make("p", {}, say("lesion.patient", { patient: state.patient ?? say("lesions.nobody") })),
    make("p", { class: "hint" }, shown < lesion.total ? say("lesion.newest", { shown, total: lesion.total }) : sayCount("lesions.pictures", shown)),
    make("p", { class: "actions" }, toggle),
    strip,
    make("p", { class: "hint" }, say("lesion.caution")),
  );
  // The newest is what somebody comes for.
  strip.scrollLeft = strip.scrollWidth;
}

function sayWhen(days) {
  if (days === null) return say("lesion.first");
  return days === 0 ? say("lesion.same_day") : sayCount("lesion.later", days);
}

function moment(result, earlier, isHeatmap) {
  const days = earlier ? Math.round((new Date(result.captured_at) - new Date(earlier.captured_at)) / DAY_MS) : null;
  return make(
    "li",
    {},
    make(
      "figure",
      {},
      make("div", { class: "frame" }, isHeatmap && result.result !== "retake" ? heatmapOf(result) : (pictureOf(result) ?? noPicture(say("picture.not_kept")))),
      make(
        "figcaption",
        {},
        make("time", { datetime: result.captured_at }, sayDay(result.captured_at)),
        make("span", { class: "hint" }, sayWhen(days)),
        result.clock_trusted ? null : make("span", { class: "hint" }, say("record.clock_untrusted")),
        make("a", { class: "moment-answer", href: `#/results/${result.id}` }, shape(result.result), say(`result.${result.result}.word`), result.result === "retake" ? null : ` ${sayProbability(result.probability_malignant)}`),
      ),
    ),
  );
}
