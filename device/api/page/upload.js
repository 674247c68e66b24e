// What can be told about a file before it is sent; the box looks again, and closer.

import { Problem } from "./asking.js";

const BEGINNINGS = [
  [0xff, 0xd8, 0xff],
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
];

/** The problem that the box would answer with, or null. */
export async function refusalOf(file) {
  if (file.size === 0) return new Problem("picture-empty");
  if (file.size > Number(document.documentElement.dataset.maxUploadBytes)) return new Problem("upload-too-large");
  const head = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  const isPicture = BEGINNINGS.some((bytes) => bytes.every((byte, index) => head[index] === byte));
  return isPicture ? null : new Problem("picture-not-a-picture");
}
