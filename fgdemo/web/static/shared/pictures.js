// Pictures of the workspace, and what stands under those that are published. One that did not come because the server did
// not answer is asked for again.

import { pause, status } from "./client.js";
import { h } from "./dom.js";
import { iso } from "./names.js";

const TRIES = 6; // of a small picture; then its place stays empty
/** @param {string | URL} url */
const isOurs = (url) => String(url).includes("/fgdemo/pictures/");

/** {image, painted}: an Image, and whether it is whole, once that is known: an offline moment is no broken picture. @param {string | URL} url */
export function picture(url) {
  const image = new Image();
  image.src = String(url);
  return { image, painted: isWhole(image, url) };
}

/** @param {HTMLImageElement} image @param {string | URL} url */
async function isWhole(image, url) {
  for (let failures = 1; ; failures += 1) {
    const isDecoded = await image.decode().then(
      () => true,
      () => false,
    );
    if (isDecoded || !isOurs(url)) return isDecoded;
    const reply = await status(url);
    if (!reply.again && failures > 1) return false; // the server has it, and it cannot be shown
    await pause(reply, failures);
    image.src = String(url);
  }
}

/** Small pictures anywhere on the page, from now on. */
export function mendPictures() {
  document.addEventListener(
    "error",
    async ({ target }) => {
      if (!(target instanceof HTMLImageElement) || !isOurs(target.src)) return;
      const { src } = target;
      const tries = Number(target.dataset.tries ?? 0) + 1;
      target.dataset.tries = String(tries);
      if (tries > TRIES) return;
      await pause({}, tries);
      if (target.isConnected && target.src === src) target.src = src;
    },
    true,
  );
}

/** @typedef {{credit: string, licence: string}} Publication */

/** "Mia Miller · CC BY 4.0". @param {Publication} publication */
export function creditOf({ credit, licence }) {
  return `${iso(credit)} · ${iso(licence)}`;
}

/** What stands under a picture, or null for one that is not published. @param {Publication | null} publication */
export function creditLine(publication) {
  return publication ? h("p", { class: "fg-credit", title: creditOf(publication) }, creditOf(publication)) : null;
}

/**
 * What an event of the history says of a publication, or null. `reason` is there where it was so elsewhere.
 *
 * @param {{kind: string, publication: Publication | null, reason: string | null}} event
 */
export function publishedWords({ kind, publication, reason }) {
  if (kind !== "publish" && kind !== "withdraw") return null;
  const words = publication ? `published: ${creditOf(publication)}` : "withdrawn";
  return reason ? `${words} (elsewhere)` : words;
}
