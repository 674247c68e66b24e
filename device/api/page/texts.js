// Every word of the page comes from texts.json; this module fetches and fills in.

const catalogue = await (await fetch(new URL("./texts.json", import.meta.url))).json();

export const language = catalogue.language;

const plural = new Intl.PluralRules(language);
const dateTime = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const dateOnly = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const shares = [0, 1].map(
  (digits) =>
    new Intl.NumberFormat(language, {
      style: "percent",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }),
);

/** The text of a key, its {names} filled in. A key that is missing is a mistake of ours. */
export function say(key, values = {}) {
  const text = catalogue[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The text of a key that may be missing, because the box may know more than this page. */
export function sayOr(key, fallback, values = {}) {
  return key in catalogue ? say(key, values) : fallback;
}

/** The text for a number of things: key.one, key.other and what else the language has. */
export function sayCount(key, count, values = {}) {
  const form = `${key}.${plural.select(count)}`;
  return say(form in catalogue ? form : `${key}.other`, { ...values, count });
}

export const sayMoment = (text) => dateTime.format(new Date(text));
export const sayDay = (text) => dateOnly.format(new Date(text));
export const sayNumber = (value, digits = 0) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
export const sayShare = (share, digits = 0) => shares[digits].format(share);

/** A probability in whole percent, which never claims to be certain. */
export function sayProbability(probability) {
  if (probability < 0.01) return say("probability.lowest");
  if (probability > 0.99) return say("probability.highest");
  return sayShare(probability);
}

/** Bytes as mebibytes, the unit of the box's settings. */
export const sayMebibytes = (bytes) => say("unit.mebibytes", { count: sayNumber(bytes / 2 ** 20, 1) });

/** Bytes of a disk. */
export const sayGibibytes = (bytes) => say("unit.gibibytes", { count: sayNumber(bytes / 2 ** 30, 1) });
