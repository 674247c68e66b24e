// One result with all that is known about it.

import { answerCard, evidence } from "../answer.js";
import { annotationForm } from "../annotation.js";
import { Problem, ask, askJson, problemBox, resultPath } from "../asking.js";
import { confirmed } from "../confirming.js";
import { announce, heading, make } from "../elements.js";
import { lesionLink } from "../links.js";
import { modelContract } from "../model.js";
import { pictureFigure } from "../picture.js";
import { may } from "../session.js";
import { say, sayMoment } from "../texts.js";

export async function showResult(main, { id, signal }) {
  main.append(
    make("p", { class: "back" }, make("a", { href: "#/results" }, say("result.back"))),
    heading(1, say("result.title")),
  );
  const result = await askJson(resultPath(id), { signal });
  const model = await modelContract().catch(() => null);
  if (signal.aborted) return;
  const lesion = make("p", {});
  const tell = (known) => {
    lesion.replaceChildren(...(known.lesion_reference ? [lesionLink(known.lesion_reference, known.patient_reference, say("result.lesion", { lesion: known.lesion_reference }))] : []));
  };
  tell(result);
  const erase = make("button", { type: "button", class: "danger", onclick: askAndErase }, say("erase.button"));
  const outcome = make("div", {});
  main.append(
    make("p", { class: "when" }, make("time", { datetime: result.captured_at }, sayMoment(result.captured_at)), result.clock_trusted ? null : ` ${say("record.clock_untrusted")}`),
    make(
      "div",
      { class: "result-parts" },
      make("div", {}, answerCard(result, model), evidence(result, model)),
      make(
        "div",
        {},
        pictureFigure(result),
        lesion,
        may("operate") ? make("div", { class: "folds" }, annotationForm(result, { changed: tell, isOpen: true })) : null,
        make(
          "p",
          { class: "actions" },
          make("a", { class: "button", href: resultPath(id, "report.pdf"), download: `edgederm-${id}.pdf` }, say("result.save_pdf")),
          may("admin") ? erase : null,
        ),
        outcome,
      ),
    ),
  );

  async function askAndErase() {
    const isSure = await confirmed({
      title: say("erase.title"),
      text: say("erase.text"),
      yes: say("erase.yes"),
      no: say("erase.no"),
    });
    if (!isSure) return;
    try {
      await ask(resultPath(id), { method: "DELETE" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      outcome.replaceChildren(problemBox(error));
      return;
    }
    const title = heading(1, say("erase.done"));
    main.replaceChildren(title, make("p", {}, say("erase.done_text")), make("p", {}, make("a", { href: "#/results" }, say("result.back"))));
    title.focus();
    announce(say("erase.done"));
  }
}
