// Names as they may stand in a sentence (as fgdemo/values/bidi.py has it), and how they are found by what a person types.

const [FIRST_STRONG, POP] = ["\u2068", "\u2069"];
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
// What turns the order of a text around until something ends that, and what no screen shows.
const TURNING = /[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;
const MARKS = /[\p{Mn}\p{Me}\p{Cf}\u{1f3fb}-\u{1f3ff}]/gu; // accents, variation selectors, joiners, skin tones
/** @type {Record<string, string>} */
const ONE_PIECE = { ß: "ss", ς: "σ", ı: "i", ł: "l", ø: "o", đ: "d", ħ: "h", æ: "ae", œ: "oe" };

/**
 * Whether a text has something that is written from right to left.
 *
 * @param {string} text
 */
export function isTurned(text) {
  return RIGHT_TO_LEFT.test(text);
}

/**
 * The text with what turns text around made visible, but for names that `iso` has closed in.
 *
 * @param {string} text
 */
export function shown(text) {
  if (text.search(TURNING) < 0) return text;
  let [depth, least] = [0, 0];
  for (const one of text) {
    depth += Number(one === FIRST_STRONG) - Number(one === POP);
    least = Math.min(least, depth);
  }
  const isClosed = depth === 0 && least === 0; // each one that is opened is closed
  return text.replace(TURNING, (one) => (isClosed && (one === FIRST_STRONG || one === POP) ? one : "\ufffd"));
}

/**
 * The name for the middle of a sentence; one that is written from left to right stays as it is.
 *
 * @param {unknown} name
 */
export function iso(name) {
  return closedIn(String(name ?? "").replace(TURNING, "\ufffd"));
}

/**
 * The same of a text that may hold such names already, where no element can be around it.
 *
 * @param {string} text
 */
export function closedIn(text) {
  return isTurned(text) ? `${FIRST_STRONG}${shown(text)}${POP}` : shown(text);
}

/**
 * Whether what a person types finds a text: case and accents do not matter, nor does punctuation between words.
 *
 * @param {string} typed
 * @param {string} text
 */
export function finds(typed, text) {
  const [asked, written] = [folded(typed).trim(), folded(text)];
  if (written.includes(asked)) return true;
  const hasSigns = [...asked].every((one) => !/\p{S}/u.test(one) || written.includes(one));
  return hasSigns && words(asked) !== "" && words(written).includes(words(asked));
}

/** @param {string} text */
function folded(text) {
  const small = text.normalize("NFKD").toLowerCase().normalize("NFKD").replace(MARKS, "").replace(/['’`]/g, "");
  return small.replace(/[ßςıłøđħæœ]/g, (one) => ONE_PIECE[one]);
}

/** @param {string} text */
function words(text) {
  return text.replace(/[^\p{L}\p{N}\p{Mc}]+/gu, " ").trim();
}
