// The contract of the model, asked for once.

import { askJson } from "./asking.js";

let asked = null;

export function modelContract() {
  asked ??= askJson("/model").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}
