// A result's picture and, over it or alone, where the model found evidence.

import { resultPath } from "./asking.js";
import { freshId, make } from "./elements.js";
import { say } from "./texts.js";

/**
 * A figure with a switch between picture and heatmap.
 *
 * @param result A result of /results, or an answer of /classify.
 * @param bitmap The picture that was sent from here, or null.
 */
export function pictureFigure(result, bitmap = null) {
  const frame = make("div", { class: "frame", id: freshId() });
  const legend = make(
    "figcaption",
    { class: "legend", hidden: true },
    make("span", { class: "legend-bar", "aria-hidden": "true" }),
    make("span", {}, say("heatmap.weak")),
    make("span", {}, say("heatmap.strong")),
    make("span", { class: "legend-note" }, say("heatmap.note")),
  );
  const toggle = make(
    "button",
    { type: "button", class: "toggle", "aria-pressed": "false", "aria-controls": frame.id, onclick: () => turn(!isHeatmap()) },
    say("heatmap.show"),
  );
  const isHeatmap = () => toggle.getAttribute("aria-pressed") === "true";
  const turn = (toHeatmap) => {
    toggle.setAttribute("aria-pressed", String(toHeatmap));
    legend.hidden = !toHeatmap;
    frame.replaceChildren(toHeatmap ? heatmapOf(result) : (pictureOf(result, bitmap) ?? noPicture(say("picture.not_kept"))));
  };
  turn(false);
  // What was not answered for has no evidence worth a look.
  const actions = result.result === "retake" ? null : make("p", { class: "actions" }, toggle);
  return make("figure", { class: "picture" }, frame, legend, actions);
}

/** The picture in small, or the reason why there is none. */
export function thumbnail(result) {
  if (!result.has_picture) return null;
  return image(resultPath(result.id, "thumbnail.jpg"), "", { loading: "lazy" });
}

/** The whole picture, or null if it was not kept. */
export function pictureOf(result, bitmap = null) {
  if (bitmap) return canvasOf(bitmap);
  if (!result.has_picture) return null;
  return image(resultPath(result.id, "picture.jpg"), say("picture.alt"));
}

export const heatmapOf = (result) => image(resultPath(result.id, "heatmap.png"), say("heatmap.alt"), { class: "heatmap" });

export const noPicture = (text) => make("p", { class: "no-picture" }, text);

function image(address, alt, properties = {}) {
  const shown = make("img", { alt, decoding: "async", ...properties });
  shown.addEventListener("error", () => shown.replaceWith(noPicture(say("picture.gone"))));
  shown.src = address;
  return shown;
}

// A camera's file may have twenty million pixels; the page shows no more than a screen has.
const LONGEST_PX = 1280;

function canvasOf(bitmap) {
  const share = Math.min(1, LONGEST_PX / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.round(side * share));
  const canvas = make("canvas", { width, height, role: "img", "aria-label": say("picture.alt") });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
  return canvas;
}
