// Elements are made one by one and filled with text nodes: what people typed stays text.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; a property that begins with "on" listens, null, undefined and false are left out. */
export function make(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same, of SVG. */
export function draw(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

let made = 0;

/** An id that nothing else on the page has. */
export const freshId = () => `e${(made += 1)}`;

/** Tell those who listen rather than look; the same words twice are said twice. */
export function announce(text) {
  const status = document.getElementById("status");
  status.textContent = "";
  requestAnimationFrame(() => {
    status.textContent = text;
  });
}

/** A heading that can take the focus, so that readers begin there. */
export function heading(level, text, properties = {}) {
  return make(`h${level}`, { tabindex: "-1", ...properties }, text);
}

/** A label, what belongs to it, and a hint below the label. */
export function field(label, control, hint) {
  control.id = freshId();
  if (hint === undefined) return make("div", { class: "field" }, make("label", { for: control.id }, label), control);
  const told = make("p", { class: "hint", id: freshId() }, hint);
  control.setAttribute("aria-describedby", told.id);
  return make("div", { class: "field" }, make("label", { for: control.id }, label), told, control);
}

/** A list to choose from; choices are pairs of value and text. */
export function choice(name, choices, chosen) {
  return make(
    "select",
    { name },
    choices.map(([value, text]) => make("option", { value, selected: value === chosen }, text)),
  );
}

/** Pairs of a name and a value. */
export function pairs(rows, properties) {
  return make(
    "dl",
    { class: "pairs", ...properties },
    rows.map(([name, ...value]) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value))),
  );
}

/** Closed until somebody wants to know more. */
export function more(summary, ...children) {
  return make("details", { class: "more" }, make("summary", {}, summary), ...children);
}
