// Files from the browser to the server, a few at a time, with the bytes counted.

const AT_ONCE = 3;
const TRIES = 3;

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

/** Send them; `onProgress("sending", bytes, ofBytes)`. Gives null, or a sentence of what went wrong. */
export async function sendFiles(batch, files, onProgress, signal) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const sent = new Map();
  const waiting = files.filter(({ path }) => !/(^|\/)\./.test(path)); // .DS_Store and its like
  let problem = null;
  const worker = async () => {
    for (let next = waiting.shift(); next && !problem && !signal.aborted; next = waiting.shift()) {
      const { file, path } = next;
      problem = await sendWithPatience(batch, file, path, signal, (bytes) => {
        sent.set(path, bytes);
        onProgress("sending", [...sent.values()].reduce((sum, one) => sum + one, 0), total);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return signal.aborted ? "Cancelled. Nothing was brought in." : problem;
}

async function sendWithPatience(batch, file, path, signal, onBytes) {
  for (let attempt = 1; ; attempt += 1) {
    const { error, lost } = await send(batch, file, path, signal, onBytes);
    if (!error) return null;
    if (!lost || attempt === TRIES || signal.aborted) return `${path}: ${error}`;
  }
}

function send(batch, file, path, signal, onBytes) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
    const url = new URL(`fgdemo/data/incoming/${batch}`, document.baseURI);
    url.searchParams.set("path", path);
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onBytes(event.loaded);
    request.onload = () => {
      let reply = {};
      try {
        reply = JSON.parse(request.responseText);
      } catch {
        reply = { error: "The server did not take the file." };
      }
      resolve({ error: reply.error ?? null, lost: request.status >= 500 });
    };
    request.onerror = () => resolve({ error: "The connection was lost.", lost: true });
    request.onabort = () => resolve({ error: "Cancelled.", lost: false });
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}
