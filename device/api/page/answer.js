// The answer in words: what it is, what to do, how sure, and what it does not mean.

import { heading, make, more, pairs } from "./elements.js";
import { shape } from "./shapes.js";
import { say, sayMoment, sayNumber, sayOr, sayProbability, sayShare } from "./texts.js";

/**
 * Show an answer.
 *
 * @param result An answer of /classify, or a result of /results.
 * @param model The contract of /model, or null while it cannot be had.
 * @param level Of its heading.
 * @param actions Elements that belong to the advice, such as a button.
 */
export function answerCard(result, model, { level = 2, actions = [] } = {}) {
  const word = result.result;
  const title = heading(level, say(`result.${word}.word`), { class: "answer-word" });
  return make(
    "section",
    { class: `answer is-${word}`, "aria-label": say("answer.label") },
    make("div", { class: "answer-head" }, shape(word), make("div", {}, title, make("p", { class: "lead" }, say(`result.${word}.lead`)))),
    word === "retake" ? reasonList(result, level) : null,
    make("p", { class: "advice" }, say(`result.${word}.advice`)),
    actions.length ? make("p", { class: "actions" }, ...actions) : null,
    word === "retake" ? null : probability(result, ownThresholds(result, model), level),
    limits(word, ownThresholds(result, model), level),
    word === "retake" ? null : reasonList(result, level),
    adviceList(result, level),
  );
}

/** What the box measured, and with which model: for those who want to know more. */
export function evidence(result, model, ...others) {
  return make(
    "div",
    { class: "folds" },
    more(say("quality.title"), quality(result, ownThresholds(result, model))),
    result.result === "retake" ? null : more(say("diagnoses.title"), diagnoses(result)),
    more(say("record.title"), record(result)),
    ...others,
  );
}

/** The words of a reason; the box's own where this page does not know it. */
const sayReason = (reason) => sayOr(`reason.${reason.code}`, reason.text);

// An older result may come from another model, whose thresholds nobody knows here.
const ownThresholds = (result, model) => (model?.sha256 === result.model.sha256 ? model : null);

function reasonList(result, level) {
  return make(
    "div",
    { class: "reasons" },
    make(`h${level + 1}`, {}, say(result.result === "retake" ? "reasons.retake" : "reasons.title")),
    make("ul", {}, result.reasons.map((reason) => make("li", {}, sayReason(reason)))),
  );
}

// What would make the next picture better; this one was answered all the same.
function adviceList({ quality }, level) {
  const advice = Array.isArray(quality.advice) ? quality.advice : [];
  if (!advice.length) return null;
  return make(
    "div",
    {},
    make(`h${level + 1}`, {}, say("reasons.advice")),
    make("ul", {}, advice.map((one) => make("li", {}, sayReason(one)))),
  );
}

function probability(result, model, level) {
  const told = sayProbability(result.probability_malignant);
  const parts = [
    make(`h${level + 1}`, {}, say("probability.title")),
    make("p", { class: "probability" }, told, " ", make("span", {}, say("probability.of"))),
  ];
  if (model) parts.push(scale(result.probability_malignant, model.operating_point));
  return make("div", {}, ...parts);
}

function scale(probability, { benign_below: low, malignant_from: high }) {
  const zone = (word, from, to) => {
    const part = make("span", { class: `zone is-${word}` });
    part.style.setProperty("--share", to - from);
    return part;
  };
  const mark = make("span", { class: "scale-mark" });
  mark.style.setProperty("--at", probability);
  const sentence = say("probability.scale", { low: sayShare(low), high: sayShare(high) });
  return make(
    "div",
    { class: "scale" },
    make(
      "div",
      { class: "scale-bar", "aria-hidden": "true" },
      zone("benign", 0, low),
      zone("uncertain", low, high),
      zone("malignant", high, 1),
      mark,
    ),
    make("p", { class: "hint" }, sentence),
  );
}

// Which share of the model's own test speaks for caution, and how it is counted.
const CAUTION = {
  benign: (figures) => 1 - figures.sensitivity_at_benign_below?.value,
  malignant: (figures) => 1 - figures.specificity_at_malignant_from?.value,
  uncertain: (figures) => figures.uncertain_share?.value,
};

function limits(word, model, level) {
  const share = model ? CAUTION[word]?.(model.metrics) : undefined;
  const lines = [say(`result.${word}.not`)];
  if (Number.isFinite(share)) lines.push(say(`result.${word}.tested`, { count: sayNumber(100 * share) }));
  if (word !== "retake") lines.push(say("answer.skin"));
  return make(
    "div",
    { class: "limits" },
    make(`h${level + 1}`, {}, say("answer.not_meant")),
    make("ul", {}, lines.map((line) => make("li", {}, line))),
  );
}

function quality(result, model) {
  // The novelty counts in limits of the contract: the limit is 1.
  const limitsOf = model ? { ...model.quality, highest_novelty: 1 } : {};
  const rows = Object.entries(result.quality)
    .filter(([, value]) => typeof value === "number")
    .map(([name, value]) => {
      const limit = Object.entries(limitsOf).find(([key]) => key.endsWith(`_${name}`));
      return make(
        "tr",
        {},
        make("th", { scope: "row" }, sayOr(`quality.${name}`, name)),
        make("td", {}, sayNumber(value, value < 1 ? 4 : 1)),
        make("td", {}, limit ? sayLimit(limit) : say("quality.no_limit")),
      );
    });
  return make(
    "div",
    { class: "wide", tabindex: "0", role: "group", "aria-label": say("quality.title") },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, ["quality.measure", "quality.value", "quality.limit"].map((key) => make("th", { scope: "col" }, say(key))))),
      make("tbody", {}, rows),
    ),
  );
}

const sayLimit = ([key, value]) =>
  say(/^(darkest|lowest)_/.test(key) ? "quality.at_least" : "quality.at_most", { value: sayNumber(value, 4) });

function diagnoses(result) {
  const ordered = Object.entries(result.diagnoses).sort(([, one], [, other]) => other - one);
  const rows = ordered.map(([code, share]) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", share);
    return [sayOr(`diagnosis.${code}`, code), make("span", { class: "bar-value" }, sayShare(share, 1)), bar];
  });
  return make("div", {}, make("p", { class: "hint" }, say("diagnoses.hint")), pairs(rows, { class: "pairs bars" }));
}

function record(result) {
  const rows = [
    [say("record.captured_at"), make("time", { datetime: result.captured_at }, sayMoment(result.captured_at)), result.clock_trusted === false ? ` ${say("record.clock_untrusted")}` : ""],
    [say("record.source"), sayOr(`source.${result.source}`, result.source)],
    [say("record.model"), `${result.model.name} ${result.model.version}`],
    [say("record.sha256"), make("code", {}, result.model.sha256)],
    [say("record.total"), say("unit.milliseconds", { count: sayNumber(result.timings_ms.total) })],
  ];
  if (result.id) rows.push([say("record.id"), make("code", {}, result.id)]);
  return pairs(rows);
}
