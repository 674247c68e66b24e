// Who this browser is to the box: which role it has, and whether there was a login at all.

import { ask, askJson } from "./asking.js";

const ROLES = ["read", "operate", "admin"];

let session = null;

/** Ask the box; needed once at the start and after each login. */
export async function openSession() {
  session = await askJson("/session");
  document.body.dataset.role = session.role;
  return session;
}

export const currentSession = () => session;

/** Whether the role of this browser may do what asks for another one. */
export const may = (role) => ROLES.indexOf(session?.role) >= ROLES.indexOf(role);

export async function logOut() {
  await ask("/logout", { method: "POST" });
  session = null;
}
