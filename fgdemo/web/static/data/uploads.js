// Files from the browser to the server, a few at a time, with the bytes counted.

import { keepTrying, putFile } from "../shared/client.js";
import { readable } from "../shared/readable.js";

const AT_ONCE = 3;

export function newBatch() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What was dropped, folders opened up: [{file, path}]. */
export async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

async function collect(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 a call
    if (!some.length) return;
    for (const one of some) await collect(one, found);
  }
}

const NEVER_SENT = /(^|\/)(\.|(eh)?thumbs(_vista)?\.db$|desktop\.ini$|__macosx\/)/i;

/** [what is sent, what stays here]: hidden files, and what systems leave beside pictures. */
export function sorted(files) {
  return [files.filter(({ path }) => !NEVER_SENT.test(path)), files.filter(({ path }) => NEVER_SENT.test(path))];
}

/** Send them, each again where the server does not answer; `onProgress("sending", bytes, ofBytes)`. Gives null, or what went wrong. */
export async function sendFiles(batch, files, onProgress, signal) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const sent = new Map();
  const waiting = [...files];
  /** @type {string | null} */
  let problem = null;
  const worker = async () => {
    for (let next = waiting.shift(); next && !problem && !signal.aborted; next = waiting.shift()) {
      const { path } = next;
      const file = await readable(next.file);
      const onBytes = (bytes) => {
        sent.set(path, bytes);
        onProgress(
          "sending",
          [...sent.values()].reduce((sum, one) => sum + one, 0),
          total,
        );
      };
      const reply = await keepTrying(() => putFile(batch, path, file, { onBytes, signal }), { isWanted: () => !signal.aborted });
      if (reply.error) problem = `${path}: ${reply.error}`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return signal.aborted ? "Cancelled. Nothing was brought in." : problem;
}
