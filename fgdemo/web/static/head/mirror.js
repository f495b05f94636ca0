// In the head of the page, for experts: how far the backup is. Nothing where there is none.

import { get } from "../shared/client.js";

const ASK_MS = 5000;

/** @typedef {{answers: number, waiting: number, elapsed_s: number, fault: string | null}} Mirror */

/** Keep `place` up to date from now on. @param {HTMLElement} place */
export function followMirror(place) {
  /** @type {{mirror: Mirror, at: number} | null} */
  let last = null;
  let asked = -ASK_MS;
  const show = () => {
    if (!last?.mirror) return;
    const { text, title, isFault } = words(last.mirror, (performance.now() - last.at) / 1000);
    place.hidden = false;
    place.textContent = text;
    place.title = title;
    place.classList.toggle("fg-fault", isFault);
  };
  const tick = async () => {
    if (!document.hidden && performance.now() - asked >= ASK_MS) {
      asked = performance.now();
      const reply = await get("fgdemo/mirror");
      if (reply.mirror === null) return; // there is none, and will be none before the server is started again
      if (reply.mirror) last = { mirror: reply.mirror, at: performance.now() };
    }
    show();
    setTimeout(tick, 1000);
  };
  tick();
}

/** @param {Mirror} mirror @param {number} since_s */
function words({ answers, waiting, elapsed_s, fault }, since_s) {
  const count = new Intl.NumberFormat("en");
  const all = answers === 1 ? "The answer is" : `All ${count.format(answers)} answers`;
  if (fault) {
    const what = waiting ? `${count.format(waiting)} of ${count.format(answers)} answers not backed up` : "Backup fails";
    return { text: `${what}: ${fault}`, title: fault, isFault: true };
  }
  if (waiting) return { text: `Backing up ${count.format(waiting)} of ${count.format(answers)} answers…`, title: "", isFault: false };
  if (!answers) return { text: "No answers to back up yet", title: "", isFault: false };
  return { text: `${all} backed up, ${ago(elapsed_s + since_s)} ago`, title: "", isFault: false };
}

/** @param {number} seconds */
function ago(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}
