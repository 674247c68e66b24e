// What people add to a result: note, patient, lesion, a diagnosis confirmed later, consent.

import { Problem, problemBox, resultPath, send } from "./asking.js";
import { announce, choice, field, make, more } from "./elements.js";
import { modelContract } from "./model.js";
import { say, sayOr } from "./texts.js";

const CONFIRM_TYPES = ["histo", "follow_up", "consensus", "confocal"];
const LONGEST_REFERENCE = 64;
const LONGEST_NOTE = 2000;

/** A closed part of the page with a form; tells changed(result) after it was saved. */
export function annotationForm(result, { changed = () => undefined, isOpen = false } = {}) {
  let current = result;
  const text = (name) => make("input", { name, type: "text", maxlength: LONGEST_REFERENCE, autocomplete: "off", spellcheck: "false", value: current[name] });
  const patient = text("patient_reference");
  const lesion = text("lesion_reference");
  const note = make("textarea", { name: "note", rows: 3, maxlength: LONGEST_NOTE }, current.note ?? "");
  const diagnosis = choice("confirmed_diagnosis", [["", say("annotation.none")]], "");
  const confirmedBy = choice(
    "diagnosis_confirm_type",
    [["", say("annotation.none")], ...CONFIRM_TYPES.map((type) => [type, say(`confirm.${type}`)])],
    current.diagnosis_confirm_type ?? "",
  );
  const consent = make("input", { name: "consent", type: "checkbox", checked: current.consent });
  const outcome = make("div", {});
  const form = make(
    "form",
    { class: "form", onsubmit: save, novalidate: true },
    make("div", { class: "columns" },
      field(say("annotation.patient"), patient, say("annotation.patient_hint")),
      field(say("annotation.lesion"), lesion, say("annotation.lesion_hint"))),
    field(say("annotation.note"), note),
    make("div", { class: "columns" },
      field(say("annotation.diagnosis"), diagnosis, say("annotation.diagnosis_hint")),
      field(say("annotation.confirmed_by"), confirmedBy)),
    make("label", { class: "check" }, consent, make("span", {}, say("annotation.consent"))),
    make("p", { class: "actions" }, make("button", { type: "submit", class: "button" }, say("annotation.save"))),
    outcome,
  );
  modelContract().then(
    (model) => {
      const codes = model.diagnoses.includes(current.confirmed_diagnosis) || !current.confirmed_diagnosis
        ? model.diagnoses
        : [...model.diagnoses, current.confirmed_diagnosis];
      diagnosis.append(...codes.map((code) => make("option", { value: code }, sayOr(`diagnosis.${code}`, code))));
      diagnosis.value = current.confirmed_diagnosis ?? "";
    },
    () => undefined,
  );

  async function save(event) {
    event.preventDefault();
    const typed = {
      note: note.value.trim() || null,
      patient_reference: patient.value.trim() || null,
      lesion_reference: lesion.value.trim() || null,
      confirmed_diagnosis: diagnosis.value || null,
      diagnosis_confirm_type: confirmedBy.value || null,
      consent: consent.checked,
    };
    const changes = Object.fromEntries(Object.entries(typed).filter(([name, value]) => value !== current[name]));
    if (!Object.keys(changes).length) return announceSaved();
    try {
      current = await (await send("PATCH", resultPath(current.id), changes)).json();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      outcome.replaceChildren(problemBox(error));
      return;
    }
    announceSaved();
    changed(current);
  }

  function announceSaved() {
    outcome.replaceChildren(make("p", { class: "done" }, say("annotation.saved")));
    announce(say("annotation.saved"));
  }

  const part = more(say("annotation.title"), form);
  part.open = isOpen;
  return part;
}
