// Going from view to view. References to patients never stand in an address.

import { make } from "./elements.js";

/** Show a view; its state stays with this tab's history and goes nowhere else. */
export function go(hash, state = null) {
  history.pushState(state, "", hash);
  window.dispatchEvent(new Event("popstate"));
}

/** A link to the pictures of one lesion over time. */
export function lesionLink(lesion, patient, ...children) {
  const open = (event) => {
    event.preventDefault();
    go("#/lesion", { lesion, patient });
  };
  return make("a", { href: "#/lesion", onclick: open }, ...children);
}
