// Take a picture or send one, and read the answer.

import { answerCard, evidence } from "../answer.js";
import { annotationForm } from "../annotation.js";
import { Problem, askJson, problemBox, resultPath } from "../asking.js";
import { announce, heading, make } from "../elements.js";
import { live } from "../live.js";
import { modelContract } from "../model.js";
import { pictureFigure } from "../picture.js";
import { showPreview } from "../preview.js";
import { may } from "../session.js";
import { refusalOf } from "../upload.js";
import { say, sayMebibytes } from "../texts.js";

export function showExamine(main, { signal }) {
  const canvas = make("canvas", { role: "img", "aria-label": say("preview.alt"), width: 640, height: 480 });
  const note = make("p", { class: "preview-note" }, say("preview.waiting"));
  const figure = make("div", { class: "preview", "data-kind": "waiting" }, canvas, note);
  const capture = make(
    "button",
    { type: "button", class: "main-button", "aria-keyshortcuts": "Control+Enter", onclick: () => examine(takePicture) },
    say("examine.capture"),
  );
  const picker = make("input", { type: "file", accept: "image/jpeg,image/png", class: "unseen", id: "picker", onchange: pick });
  const drop = make(
    "div",
    { class: "drop" },
    picker,
    make("label", { for: "picker", class: "button" }, say("examine.upload")),
    make("span", { class: "drop-hint" }, say("examine.drop")),
    make("span", { class: "hint" }, say("examine.kinds", { limit: sayMebibytes(document.documentElement.dataset.maxUploadBytes) })),
  );
  const answer = make("div", { class: "answer-place" }, guide());
  if (!may("operate")) {
    main.append(heading(1, say("examine.title")), make("p", { class: "empty" }, say("examine.watching")), answer);
    return;
  }
  const left = make(
    "div",
    { class: "stage" },
    figure,
    capture,
    make("p", { class: "hint shortcut" }, say("examine.shortcut")),
    drop,
  );
  main.append(heading(1, say("examine.title"), { class: "unseen" }), make("div", { class: "examine" }, left, answer));

  showPreview(
    canvas,
    (kind) => {
      if (figure.dataset.kind === kind) return;
      figure.dataset.kind = kind;
      note.textContent = say(`preview.${kind}`);
    },
    signal,
  );
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey && !event.repeat) capture.click();
  }, { signal });
  listenForFiles(main, signal, (file) => examine(() => sendPicture(file)));

  let isBusy = false;
  let shownId = null;

  // The button of the box was pressed, or somebody else's page was used.
  live.addEventListener("result", async ({ detail }) => {
    if (isBusy || detail.source === "upload" || detail.id === shownId) return;
    announce(say("examine.heard", { word: say(`result.${detail.result}.word`) }));
    const isTyping = answer.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
    if (isTyping) return;
    const place = await shown(detail, null);
    // Meanwhile a newer one may have come, or somebody's own picture.
    if (!isBusy && shownId === detail.id) put(place);
  }, { signal });

  async function examine(work) {
    if (isBusy) return;
    isBusy = true;
    capture.setAttribute("aria-disabled", "true");
    left.classList.add("is-busy");
    capture.textContent = say("examine.busy");
    announce(say("examine.busy"));
    let place;
    try {
      place = await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      place = problemBox(error);
    } finally {
      isBusy = false;
      capture.removeAttribute("aria-disabled");
      left.classList.remove("is-busy");
      capture.textContent = say("examine.capture");
    }
    if (signal.aborted) return;
    put(place);
    announce("");
    place.querySelector(".answer-word")?.focus({ preventScroll: true });
    if (!isAtHand(place)) place.scrollIntoView({ block: "start" });
  }

  function put(place) {
    if (!signal.aborted) answer.replaceChildren(place);
  }

  async function takePicture() {
    return shown(await askJson("/classify", { signal }), null);
  }

  async function sendPicture(file) {
    const refusal = await refusalOf(file);
    if (refusal) throw refusal;
    // The box refuses what is no picture; a browser that cannot show it is no reason to.
    const bitmap = await createImageBitmap(file).catch(() => null);
    const headers = { "Content-Type": file.type === "image/png" ? "image/png" : "image/jpeg" };
    return shown(await askJson("/classify", { method: "POST", headers, body: file, signal }), bitmap);
  }

  async function shown(found, bitmap) {
    shownId = found.id;
    const model = await modelContract().catch(() => null);
    const actions = found.result === "retake"
      ? [make("button", { type: "button", class: "main-button", onclick: () => examine(takePicture) }, say("examine.again"))]
      : [];
    const parts = make("div", { class: "answer-parts" }, answerCard(found, model, { actions }));
    if (!found.id) return parts;
    const result = await askJson(resultPath(found.id), { signal }).catch(() => null);
    if (result === null) return parts;
    parts.append(
      pictureFigure(result, bitmap),
      evidence(result, model, may("operate") ? annotationForm(result) : null),
      make("p", { class: "onward" }, make("a", { href: `#/results/${found.id}` }, say("examine.open"))),
    );
    return parts;
  }

  function pick() {
    const [file] = picker.files;
    // The same file may be chosen again.
    picker.value = "";
    if (file) examine(() => sendPicture(file));
  }
}

/** Whether somebody need not scroll to read the first lines of what is new. */
const isAtHand = (place) => {
  const { top } = place.getBoundingClientRect();
  return top > 0 && top < window.innerHeight / 2;
};

/** A file that is dropped anywhere on the view is meant for it; the browser shall not open it. */
function listenForFiles(main, signal, take) {
  const view = main.querySelector(".examine");
  let depth = 0;
  const turn = (change) => {
    depth = change === 0 ? 0 : depth + change;
    view.classList.toggle("is-dropping", depth > 0);
  };
  const on = (name, act) =>
    window.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      act(event);
    }, { signal });
  on("dragenter", () => turn(1));
  on("dragleave", () => turn(-1));
  on("dragover", () => undefined);
  on("drop", (event) => {
    turn(0);
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}

function guide() {
  return make(
    "section",
    { class: "guide" },
    make("h2", {}, say("guide.title")),
    make("ol", {}, ["guide.touch", "guide.middle", "guide.still"].map((key) => make("li", {}, say(key)))),
    make("p", { class: "hint" }, say("guide.note")),
  );
}
