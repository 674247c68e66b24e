// The four answers differ by color, by outline, and by how often the box's light flashes.

import { draw } from "./elements.js";

const SIDE = 48;

const OUTLINES = {
  benign: () => draw("circle", { cx: 24, cy: 24, r: 22 }),
  retake: () => draw("rect", { x: 4, y: 4, width: 40, height: 40, rx: 7 }),
  uncertain: () => draw("path", { d: "M24 1.5 46.5 24 24 46.5 1.5 24z", "stroke-linejoin": "round" }),
  malignant: () => draw("path", { d: "M24 3 46.5 43h-45z", "stroke-linejoin": "round" }),
};

// Steady, one, two and three flashes: docs/panel.md.
const FLASHES = { benign: [], retake: [24], uncertain: [16.5, 31.5], malignant: [12.5, 24, 35.5] };
const HEIGHT = { malignant: 34 };

/** Sign of an answer. Its word stands beside it, so it is hidden from those who listen. */
export function shape(result) {
  const y = HEIGHT[result] ?? 24;
  const flashes = FLASHES[result].length
    ? FLASHES[result].map((x) => draw("circle", { class: "flash", cx: x, cy: y, r: 3.9 }))
    : [draw("rect", { class: "flash", x: 11, y: 20.5, width: 26, height: 7, rx: 3.5 })];
  return draw(
    "svg",
    { class: `shape is-${result}`, viewBox: `0 0 ${SIDE} ${SIDE}`, "aria-hidden": "true" },
    OUTLINES[result](),
    ...flashes,
  );
}

export const RESULTS = Object.keys(OUTLINES);
