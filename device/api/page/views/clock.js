// The box's clock: what it says, whether that is to be believed, and an admin who sets it.

import { Problem, askJson, problemBox, send } from "../asking.js";
import { announce, make } from "../elements.js";
import { confirmed } from "../confirming.js";
import { may } from "../session.js";
import { say, sayCount, sayMoment } from "../texts.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
// A minute and a half of difference is a watch, not a fault.
const TOLERATED_MS = 90_000;

/** Fill in the place with what is known; it looks anew after each change. */
export async function showClock(place, signal) {
  const told = await askJson("/clock", { signal });
  const difference = Math.abs(Date.now() - new Date(told.now));
  const isRight = difference < TOLERATED_MS;
  const setter = told.clock_trusted ? told.set_by : "nobody";
  place.replaceChildren(
    make("p", {}, isRight
      ? say("clock.right", { time: sayMoment(told.now) })
      : say("clock.wrong", { time: sayMoment(told.now), difference: sayDifference(difference) })),
    make("p", { class: told.clock_trusted || isRight ? "hint" : "unwell" }, say(`clock.by.${setter}`)),
    may("admin") && told.settable && !(isRight && told.clock_trusted)
      ? make("p", { class: "actions" }, make("button", { type: "button", class: "button", onclick: () => set(place, signal) }, say("clock.set")))
      : "",
  );
}

async function set(place, signal) {
  const isMeant = await confirmed({
    title: say("clock.title", { time: sayMoment(Date.now()) }),
    text: say("clock.text"),
    yes: say("clock.yes"),
    no: say("clock.no"),
  });
  if (!isMeant) return;
  try {
    const change = await (await send("PUT", "/clock", { now: new Date().toISOString() })).json();
    if (signal.aborted) return;
    await showClock(place, signal);
    place.append(make("p", { class: "done" }, say("clock.done")));
    if (change.chip_set === false) place.append(make("p", { class: "unwell" }, say("clock.chip")));
    announce(say("clock.done"));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    await showClock(place, signal);
    place.append(problemBox(error));
  }
}

function sayDifference(difference) {
  if (difference < 2 * HOUR_MS) return sayCount("unit.minutes", Math.round(difference / MINUTE_MS));
  if (difference < 2 * DAY_MS) return sayCount("unit.hours", Math.round(difference / HOUR_MS));
  return sayCount("unit.days", Math.round(difference / DAY_MS));
}
