// The one way from any page to the server: questions, uploads, and what becomes of them when it does not answer.
//
// Whatever happens, each of them ends in a value or in {error: a sentence} with
//   again          the same may work later: no answer, a server that restarts, too much at once
//   lost           it is not known whether the server has done what was asked
//   retry_after_s  not sooner than this
//   code           "forbidden", "stale", "bad", "busy", "failed", or "outdated": the server has another version of the page
// The document hears of it: "fg-trouble" says why something is asked again (and "fg-try" asks at once), "fg-outdated" and
// "fg-forbidden" that asking again helps nothing.

const ANSWER_MS = 40_000; // a question, also the first one, which waits for the model; slow ones say otherwise
const STILL_MS = 60_000; // an upload of which nothing moves
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
const NO_ANSWER = "The server does not answer.";
const SLOW = "The server takes very long.";
const FAILED = "The server has trouble with this.";
const BUSY = "The server is asked too much at once.";
const OUTDATED = "The server was renewed meanwhile. Load this page again to go on.";
const REFUSED = "The server refuses this.";

/** @typedef {{error?: string, again?: boolean, lost?: boolean, retry_after_s?: number, code?: string, [more: string]: any}} Reply */
/** @typedef {{timeoutMs?: number, isWanted?: () => boolean, onTrouble?: ((reply: any) => void) | null}} Options */

/** What the document says. @type {{functions: Record<string, number>, options: Record<string, any>, gradio: {js: string, css: string}}} */
export const started = JSON.parse(
  globalThis.document?.getElementById("fg-start")?.textContent ?? '{"functions":{},"options":{},"gradio":{}}',
);
const session = hex(8);
export let isLoadingAgain = false;
/** @type {Map<symbol, string>} */
const troubles = new Map(); // why something is asked again, in a sentence

/** Where something lies on the server. Relative to the page, which may be served below a path of another server. @param {string} path */
export function address(path) {
  return new URL(path, document.baseURI);
}

/**
 * The reply to a question of a page: a server function of that name, whatever page it belongs to.
 *
 * @param {string} name @param {object} [question] @param {Options} [options]
 */
export async function ask(name, question = {}, { timeoutMs = ANSWER_MS } = {}) {
  const body = { data: question, component_id: started.functions[name] ?? -1, fn_name: name, session_hash: session };
  const reply = await send(address("gradio_api/component_server/"), {
    method: "POST",
    body: JSON.stringify(body),
    isQuestion: true,
    timeoutMs,
  });
  if (reply.code === "outdated" || reply.code === "forbidden") document.dispatchEvent(new CustomEvent(`fg-${reply.code}`));
  return reply;
}

/**
 * The reply to a question about a picture: one that the server does not have (any more) is sent first.
 *
 * @param {{file: File, name: string, path?: string | null}} picture
 * @param {string} name @param {object} question @param {Options} [options]
 */
export async function askAbout(picture, name, question, options) {
  for (let isSent = false; ; isSent = true) {
    if (!picture.path) {
      const stored = await store(picture.file);
      if (stored.error) return stored;
      picture.path = stored.path;
    }
    const reply = await ask(name, { ...question, path: picture.path, name: picture.name }, options);
    if (!reply.gone || isSent) return reply;
    picture.path = null;
  }
}

/** What lies at an address of ours, as JSON. @param {string} path */
export function get(path) {
  return send(address(path), { method: "GET" });
}

/** {} where something lies at this URL, else why it does not come. @param {string | URL} url @returns {Promise<Reply>} */
export async function status(url) {
  try {
    const response = await fetch(url, { cache: "reload", signal: AbortSignal.timeout(ANSWER_MS) });
    return response.ok ? {} : replyOf(response.status, await response.text(), response.headers.get("Retry-After"));
  } catch {
    return failure(NO_ANSWER, { again: true });
  }
}

/** @param {string} path @param {object} body */
export function post(path, body) {
  return send(address(path), { method: "POST", body: JSON.stringify(body) });
}

/**
 * Ask until there is a reply that asking again would not change, or until nobody wants it any more.
 *
 * @param {() => Promise<any>} attempt
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function keepTrying(attempt, { isWanted = () => true, onTrouble = null } = {}) {
  const trouble = Symbol("trouble");
  const say = onTrouble ?? ((/** @type {any} */ reply) => show(troubles.set(trouble, reply.error)));
  try {
    for (let failures = 1; ; failures += 1) {
      const reply = await attempt();
      if (!reply.again || !isWanted()) return reply;
      say(reply);
      await pause(reply, failures);
      if (!isWanted()) return reply;
    }
  } finally {
    if (troubles.delete(trouble)) show(troubles);
  }
}

/** A module that is needed only now, asked for until it comes: `load` imports it. @param {() => Promise<any>} load */
export function needed(load) {
  return keepTrying(() => load().catch(() => failure(NO_ANSWER, { again: true })));
}

/** @param {string} name @param {object} [question] @param {Options} [options] */
export function keepAsking(name, question = {}, options = {}) {
  return keepTrying(() => ask(name, question, options), options);
}

/** @param {Map<symbol, string>} all */
function show(all) {
  document.dispatchEvent(new CustomEvent("fg-trouble", { detail: [...all.values()].at(-1) ?? null }));
}

/** Load the page again; what waits to be sent is kept. */
export function loadAgain() {
  isLoadingAgain = true;
  location.reload();
}

/** Resolves when it is time to try again: later after each failure, or at once on hope. @param {Reply} reply @param {number} failures */
export function pause(reply, failures) {
  const wait = Math.max(1000 * (reply.retry_after_s ?? 0), Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1)));
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      const ended = new AbortController();
      const done = () => {
        clearTimeout(timer);
        ended.abort();
        resolve();
      };
      const timer = setTimeout(done, wait);
      for (const name of ["fg-try", "fg-page"]) document.addEventListener(name, done, { signal: ended.signal });
      addEventListener("online", done, { signal: ended.signal });
    })
  );
}

// --- uploads -------------------------------------------------------------------------------------------

/** Where the server keeps a picture for the questions about it: {path}, or {error}. @param {File} file @returns {Promise<Reply>} */
export async function store(file) {
  const form = new FormData();
  form.append("files", file);
  const reply = await transmit("POST", address("gradio_api/upload"), form);
  return typeof reply[0] === "string" ? { path: reply[0] } : reply.error ? reply : failure(FAILED, { again: true });
}

/**
 * One file of a batch that a maintainer brings in. `onBytes(sent)`; `signal` ends it.
 *
 * @param {string} batch @param {string} path @param {File} file
 * @param {{onBytes?: (sent: number) => void, signal?: AbortSignal}} how
 */
export function putFile(batch, path, file, { onBytes, signal }) {
  const url = address(`fgdemo/data/incoming/${batch}`);
  url.searchParams.set("path", path);
  return transmit("PUT", url, file, { type: "application/octet-stream", onBytes, signal });
}

/**
 * @param {string} method
 * @param {URL} url
 * @param {File | FormData} body
 * @param {{type?: string, onBytes?: (sent: number) => void, signal?: AbortSignal}} how
 * @returns {Promise<any>}
 */
function transmit(method, url, body, { type, onBytes = () => {}, signal } = {}) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
    let still = 0;
    const moves = () => {
      clearTimeout(still);
      still = setTimeout(() => end(failure(SLOW, { again: true, lost: true })), STILL_MS);
    };
    const cancel = () => end(failure("Cancelled."));
    const end = (/** @type {Reply} */ reply) => {
      clearTimeout(still);
      signal?.removeEventListener("abort", cancel);
      resolve(reply);
      request.abort();
    };
    request.open(method, url);
    if (type) request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => {
      moves();
      onBytes(event.loaded);
    };
    request.onload = () => end(replyOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    request.onerror = () => end(failure(NO_ANSWER, { again: true, lost: true }));
    signal?.addEventListener("abort", cancel);
    moves();
    request.send(body);
  });
}

// --- what came back ------------------------------------------------------------------------------------

/**
 * @param {URL} url
 * @param {{method: string, body?: string | null, isQuestion?: boolean, timeoutMs?: number}} how
 * @returns {Promise<any>}
 */
async function send(url, { method, body = null, isQuestion = false, timeoutMs = ANSWER_MS }) {
  /** @type {Record<string, string>} */
  const headers = body === null ? {} : { "Content-Type": "application/json" };
  try {
    const response = await fetch(url, {
      method,
      body,
      headers,
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(timeoutMs),
    });
    return replyOf(response.status, await response.text(), response.headers.get("Retry-After"), isQuestion);
  } catch (error) {
    return failure(error instanceof DOMException && error.name === "TimeoutError" ? SLOW : NO_ANSWER, { again: true, lost: true });
  }
}

/** @param {string} error @param {Reply} [more] @returns {Reply} */
function failure(error, more = {}) {
  return { error, ...more };
}

/**
 * A value, or what went wrong. Server functions say that themselves, so other statuses come from what is around them.
 *
 * @param {number} status @param {string} text @param {string | null} retryAfter the header @param {boolean} [isQuestion]
 * @returns {Reply}
 */
function replyOf(status, text, retryAfter, isQuestion = false) {
  const value = parsed(text);
  const sentence = typeof value?.error === "string" && value.error ? value.error : null;
  if (status >= 200 && status < 300) {
    if (value === null || typeof value !== "object") return failure(NO_ANSWER, { again: true, lost: true });
    return value.error !== undefined ? { ...value, error: sentence ?? FAILED, again: ["busy", "failed"].includes(value.code) } : value;
  }
  if (status === 429) return failure(sentence ?? BUSY, { code: "busy", again: true, retry_after_s: seconds(retryAfter) });
  if (status >= 500 || status === 408) return failure(sentence ?? FAILED, { code: "failed", again: true, lost: !sentence });
  if (isQuestion && (status === 404 || status === 400)) return failure(OUTDATED, { code: "outdated" });
  return failure(sentence ?? REFUSED, { code: status === 401 || status === 403 ? "forbidden" : "bad" });
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the page of a proxy, or the half of an answer
  }
}

/** @param {string | null} retryAfter */
function seconds(retryAfter) {
  const told = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : (Date.parse(retryAfter ?? "") - Date.now()) / 1000;
  return Number.isFinite(told) ? Math.min(600, Math.max(0, told)) : 0;
}

/** A key for something that counts once, however often it is sent. */
export function newKey() {
  return hex(16);
}

/** @param {number} bytes */
function hex(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
