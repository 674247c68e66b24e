// A question in front of the page, before what cannot be taken back.

import { freshId, make } from "./elements.js";

/** Ask; gives whether the answer was yes. Escape means no, and the focus begins on no. */
export function confirmed({ title, text, yes, no }) {
  const id = freshId();
  const refuse = make("button", { type: "submit", class: "button", value: "no", autofocus: true }, no);
  const agree = make("button", { type: "submit", class: "danger", value: "yes" }, yes);
  const dialog = make(
    "dialog",
    { "aria-labelledby": id },
    make("form", { method: "dialog" }, make("h2", { id }, title), make("p", {}, text), make("p", { class: "actions" }, refuse, agree)),
  );
  document.body.append(dialog);
  return new Promise((tell) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      tell(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
