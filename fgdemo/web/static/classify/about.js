// In the head of the page and on the empty Classify tab: which model is served, and what it knows.

import { keepAsking, needed } from "../shared/client.js";

/** In the head of the page: which model is served; null where none could be loaded. @param {any} about */
export function showModel(about) {
  const place = document.querySelector(".fg-model");
  if (place) place.textContent = about ? `${about.model_version} · ${about.kinds_known} kinds` : "no model";
}

/**
 * What the model knows. The server is here sooner than its model: the answer comes when that is loaded.
 *
 * @param {HTMLElement} line where it is said
 * @param {() => boolean} isWanted until a picture is answered, which says it too, and later
 * @returns {Promise<string>} why not, or nothing
 */
export async function introduceModel(line, isWanted) {
  const about = await keepAsking("about");
  if (!isWanted()) return "";
  showModel(about.error ? null : about);
  if (about.error) return about.error;
  line.textContent = about.sentence;
  if (about.examples.length) needed(() => import("./examples.js")).then(({ offerExamples }) => offerExamples(about.examples));
  return "";
}
