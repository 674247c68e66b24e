// The model card: what answers here, what it was promised to be, and what it is not for.

import { heading, make, more, pairs } from "../elements.js";
import { modelContract } from "../model.js";
import { shape } from "../shapes.js";
import { say, sayNumber, sayOr, sayShare } from "../texts.js";

// The figures that a person without statistics can read, and how they read: value to share.
const IN_WORDS = [
  ["sensitivity_at_benign_below", (value) => value],
  ["specificity_at_malignant_from", (value) => value],
  ["melanoma_sensitivity_at_benign_below", (value) => value],
  ["uncertain_share", (value) => value],
];

export async function showModel(main, { signal }) {
  main.append(heading(1, say("model.title")));
  const model = await modelContract();
  if (signal.aborted) return;
  const { benign_below: low, malignant_from: high } = model.operating_point;
  main.append(
    make("p", { class: "lead" }, model.intended_use),
    make("ul", { class: "plain-list" }, ["model.knows", "model.skin", "model.clinics"].map((key) => make("li", {}, say(key)))),
    make("h2", {}, say("model.figures")),
    make(
      "ul",
      { class: "figures" },
      IN_WORDS.filter(([name]) => model.metrics[name]).map(([name]) => {
        const { value, low: least, high: most } = model.metrics[name];
        return make(
          "li",
          {},
          make("strong", { class: "figure-value" }, say("model.of_hundred", { count: sayNumber(100 * value) })),
          make("span", {}, say(`model.figure.${name}`)),
          make("span", { class: "hint" }, say("model.interval", { low: sayNumber(100 * least), high: sayNumber(100 * most) })),
        );
      }),
    ),
    make("p", { class: "hint" }, say("model.tested_on", { count: sayNumber(model.training.images.test ?? 0), data: model.training.datasets.join(", ") })),
    make("h2", {}, say("model.promise")),
    promise(model.guarantee),
    make("h2", {}, say("model.answers")),
    pairs(
      [
        ["benign", say("model.below", { share: sayShare(low, 1) })],
        ["uncertain", say("model.between", { low: sayShare(low, 1), high: sayShare(high, 1) })],
        ["malignant", say("model.from", { share: sayShare(high, 1) })],
        ["retake", say("model.retake")],
      ].map(([word, text]) => [make("span", { class: "with-shape" }, shape(word), say(`result.${word}.word`)), text]),
    ),
    make("h2", {}, say("model.diagnoses")),
    table(
      say("model.diagnoses"),
      ["model.code", "model.diagnosis", "model.counted"],
      model.diagnoses.map((code) => [code, sayOr(`diagnosis.${code}`, code), say(model.malignant.includes(code) ? "result.malignant.word" : "result.benign.word")]),
    ),
    make("div", { class: "folds" }, more(
      say("model.all_figures"),
      table(
        say("model.all_figures"),
        ["model.figure", "model.value", "model.range"],
        Object.entries(model.metrics).map(([name, { value, low: least, high: most }]) => [make("code", {}, name), sayNumber(value, 3), say("model.range_of", { low: sayNumber(least, 3), high: sayNumber(most, 3) })]),
      ),
    ),
    more(
      say("model.file"),
      pairs([
        [say("model.name"), `${model.name} ${model.version}`],
        [say("record.sha256"), make("code", {}, model.sha256)],
        [say("model.size"), say("model.size_of", { parameters: sayNumber(model.parameters), macs: sayNumber(model.macs / 1e6, 1) })],
        [say("model.side"), say("unit.pixels", { count: model.input.side_px })],
        [say("model.stages"), model.preprocess.stages.filter((stage) => stage.enabled !== false).map((stage) => stage.stage).join(", ")],
        [say("model.calibration"), model.calibration.method],
        [say("model.recipe"), model.training.recipe],
        [say("model.split"), model.training.split],
        [say("model.pictures"), Object.entries(model.training.images).map(([part, count]) => `${part} ${sayNumber(count)}`).join(", ")],
        [say("model.license"), model.license],
        [say("model.commit"), make("code", {}, model.commit)],
      ]),
    )),
  );
}

/** How many malignant lesions are called benign at most, and what that is worth. */
function promise({ miss_rate: rate, confidence, lesions, missed }) {
  return make(
    "div",
    { class: "promise" },
    make("p", {}, make("strong", { class: "figure-value" }, say("model.promise_rate", { count: sayNumber(100 * rate, 1) })), make("br"), say("model.promise_of")),
    make("p", {}, say("model.promise_sure", { confidence: sayShare(confidence, 1) })),
    make("p", {}, say("model.promise_rests", { lesions: sayNumber(lesions), missed: sayNumber(missed) })),
    make("p", { class: "hint" }, say("model.promise_not")),
  );
}

function table(label, columns, rows) {
  return make(
    "div",
    { class: "wide", tabindex: "0", role: "group", "aria-label": label },
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, columns.map((key) => make("th", { scope: "col" }, say(key))))),
      make("tbody", {}, rows.map(([first, ...others]) => make("tr", {}, make("th", { scope: "row" }, first), others.map((cell) => make("td", {}, cell))))),
    ),
  );
}
