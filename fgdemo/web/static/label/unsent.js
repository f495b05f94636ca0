// Answers that are not saved yet, kept with the tab: a page that is loaded again, or whose person has to sign in again,
// sends them after all. Each carries its key, so that none counts twice.

/** @param {string | null} person */
const keptAs = (person) => `fgdemo.label.unsent.${person}`;

/** The answers that this person could not send from this tab, oldest first. @param {string} person @returns {any[]} */
export function kept(person) {
  try {
    const found = JSON.parse(sessionStorage.getItem(keptAs(person)) ?? "null");
    return Array.isArray(found) ? found : [];
  } catch {
    return []; // the browser keeps nothing
  }
}

/** @param {string | null} person @param {object[]} answers */
export function keep(person, answers) {
  try {
    if (answers.length) sessionStorage.setItem(keptAs(person), JSON.stringify(answers));
    else sessionStorage.removeItem(keptAs(person));
  } catch {
    // the browser keeps nothing: they are in the page
  }
}
