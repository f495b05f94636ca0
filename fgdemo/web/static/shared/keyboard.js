// What a key press means, on any keyboard: the letter that is written on it where that is a Latin one, else the one that
// stands there on a Latin keyboard; digits by their place, which some keyboards write only with Shift.

/** @type {Record<string, string>} */
const PLACES = {
  Slash: "/",
  Period: ".",
  Comma: ",",
  Semicolon: ";",
  Quote: "'",
  Minus: "-",
  Equal: "=",
  Backslash: "\\",
  BracketLeft: "[",
  BracketRight: "]",
  Backquote: "`",
};
const MOVING = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", "Tab"]);
const DEAF = new Set(["Dead", "Process", "Unidentified", "Compose", "AltGraph", "Shift", "Control", "Meta", "Alt", "CapsLock"]);

/**
 * The key: "Enter", "ArrowUp", " ", "g" (whatever the keyboard writes there), "?". Null where the press means nothing to
 * us: it belongs to the browser (Ctrl, Meta, Alt), or to a character that is still being composed.
 *
 * @param {KeyboardEvent} event
 */
export function keyOf(event) {
  const written = writtenBy(event);
  if (written === null || written.length > 1) return written;
  if (written === "؟" || written === "\u037e") return "?"; // Arabic, Greek
  if (isLatin(written)) return written.toLowerCase();
  return placeOf(event) ?? written;
}

/**
 * 0 to 9, also where the key writes "&" or "ě" until Shift is held, and where it writes "٣"; else null.
 *
 * @param {KeyboardEvent} event
 */
export function digitOf(event) {
  const written = writtenBy(event);
  if (written === null || written.length > 1) return null; // as "End", which the 1 of a number block may be
  const digit = digitIn(written);
  if (digit !== null) return digit;
  const place = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return place && !event.shiftKey ? Number(place[1]) : null;
}

/**
 * Whether a held key sends this press once more, although it moves nothing: a deed is done once a press.
 *
 * @param {KeyboardEvent} event
 */
export function isRepeatedDeed(event) {
  return event.repeat && !MOVING.has(event.key);
}

/**
 * How a key that a person has chosen is remembered: {key, code}.
 *
 * @param {KeyboardEvent} event
 */
export function bindingOf(event) {
  const key = keyOf(event);
  return key === null ? null : { key, code: event.code };
}

/**
 * Whether a press means a binding, or a key that was remembered by its character alone.
 *
 * @param {KeyboardEvent} event
 * @param {string | {key: string, code: string}} binding
 */
export function means(event, binding) {
  const { key, code } = typeof binding === "string" ? { key: binding, code: null } : binding;
  const written = writtenBy(event);
  if (written === null) return false;
  if (keyOf(event) === key || written.toLowerCase() === key) return true;
  // Another keyboard than the one it was chosen on.
  return code !== null && code === event.code && written.length === 1 && !isLatin(written);
}

/** From now on, on every page: no deed is done again by a key that is held down, not by a button that has the focus either. */
export function stopRepeats() {
  /** @param {KeyboardEvent} event */
  const stop = (event) => {
    const isText =
      event.target instanceof HTMLElement && (event.target.isContentEditable || event.target.matches("textarea, input, select"));
    if (
      !isRepeatedDeed(event) ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      (isText && event.key !== "Enter") ||
      event.target instanceof HTMLTextAreaElement
    )
      return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener("keydown", stop, { capture: true });
}

/**
 * The character, or the name of a key that writes none; null where it is not to be heard.
 *
 * @param {KeyboardEvent} event
 */
function writtenBy(event) {
  if (event.isComposing || event.keyCode === 229 || DEAF.has(event.key)) return null;
  if (event.ctrlKey || event.metaKey || event.altKey || event.getModifierState?.("AltGraph")) return null;
  if (/^[\x20-\x7e]{2,}$/.test(event.key)) return event.key;
  const written = event.key.normalize("NFKC"); // full width
  return [...written].length === 1 ? written : (placeOf(event) ?? null); // one key may write two letters, as in Arabic
}

/** @param {string} character */
function isLatin(character) {
  return /^[\x20-\x7e]$|\p{Script=Latin}/u.test(character);
}

/**
 * What stands there on a Latin keyboard.
 *
 * @param {KeyboardEvent} event
 */
function placeOf({ code, shiftKey }) {
  const letter = /^Key([A-Z])$/.exec(code);
  if (letter) return letter[1].toLowerCase();
  return code === "Slash" && shiftKey ? "?" : (PLACES[code] ?? null);
}

/** @param {string} character */
function digitIn(character) {
  if (/^[0-9]$/.test(character)) return Number(character);
  if (!/^\p{Nd}$/u.test(character)) return null;
  // The digits of each script stand together, nought first.
  const written = /** @type {number} */ (character.codePointAt(0));
  let zero = written;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(zero - 1)) && written - zero < 9) zero -= 1;
  return written - zero;
}
