// The live picture: one frame after the other, and only while somebody can see it.

import { Problem, ask } from "./asking.js";

export const FRAME_MS = 250;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;

/**
 * Draw the camera's frames until the signal aborts.
 *
 * @param canvas Where to.
 * @param tell Called with live, waiting or none as that changes.
 */
export async function showPreview(canvas, tell, signal) {
  const seen = watch(canvas, signal);
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    await seen();
    if (signal.aborted) return;
    const began = performance.now();
    try {
      const bitmap = await createImageBitmap(await (await ask("/preview.jpg", { signal })).blob());
      // Assigning a size clears the canvas, so only when it changed.
      if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
      if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
      tell("live");
      wait = FIRST_WAIT_MS;
      await pause(Math.max(FRAME_MS - (performance.now() - began), 0), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500) {
        tell("none");
        return;
      }
      tell("waiting");
      await pause(wait, signal);
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    }
  }
}

/** Resolves at once while the element and the page can be seen, else as soon as they can. */
function watch(element, signal) {
  let isInView = true;
  const waiting = new Set();
  const look = () => {
    if (!signal.aborted && (document.hidden || !isInView)) return;
    for (const go of waiting) go();
    waiting.clear();
  };
  const observer = new IntersectionObserver((entries) => {
    isInView = entries.at(-1).isIntersecting;
    look();
  });
  observer.observe(element);
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    look();
  });
  return () =>
    new Promise((go) => {
      waiting.add(go);
      look();
    });
}

/** Wait, but no longer than until the signal aborts. */
function pause(milliseconds, signal) {
  return new Promise((go) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      go();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}
