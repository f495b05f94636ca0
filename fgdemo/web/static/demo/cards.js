// What there is to try in a demo: five cards, each with what it leads to, and whether it was done. Pure.

/**
 * @typedef {{pictures: number, answered: number, wrong: number, found: number, taught: number, promoted: boolean, went_back: boolean, teach: string}} Tried
 * @typedef {{name: string, title: string, text: string, role: string, hash: string, isDone: boolean, told: string}} Card
 */

const KEYS = 20;
const PAIR = "#review?view=pair&a=plain_marshling&b=spot_winged_marshling";
const RANKS = ["visitor", "expert", "maintainer"];

/**
 * Whether somebody of this role may do what is for `asked`.
 *
 * @param {string} role
 * @param {string} asked
 */
export function isEnough(role, asked) {
  return RANKS.indexOf(role) >= RANKS.indexOf(asked);
}

/**
 * The page that an address leads to.
 *
 * @param {string} address
 */
export function pageOf(address) {
  return (address.split("#")[1] ?? "").split(/[/?]/)[0] || "classify";
}

/**
 * Whether an address is where two kinds stand side by side.
 *
 * @param {string} hash
 */
export function isPair(hash) {
  return hash.startsWith("#review?") && new URLSearchParams(hash.split("?")[1]).get("view") === "pair";
}

/**
 * The cards; `told` is what came of one until now, empty where nothing did.
 *
 * @param {Tried} tried
 * @param {boolean} hasCompared
 * @returns {Card[]}
 */
export function cardsOf(tried, hasCompared) {
  return [
    {
      name: "wrong",
      title: `Find the wrong labels: ${KEYS} keys`,
      text: `${tried.wrong} of ${tried.pictures} labels are wrong. The likeliest come first: press ↵ where the model is right, or the number of the right kind.`,
      role: "expert",
      hash: "#label/suspicion",
      isDone: tried.answered >= KEYS || tried.found === tried.wrong,
      told: tried.answered ? `${tried.answered} answered, ${tried.found} of ${tried.wrong} put right` : "",
    },
    {
      name: "pair",
      title: "Compare two look-alikes",
      text: "Plain and Spot-winged Marshlings differ in the wing alone. See them side by side, and what is taken for what.",
      role: "expert",
      hash: PAIR,
      isDone: hasCompared,
      told: hasCompared ? "Seen" : "",
    },
    {
      name: "teach",
      title: "Teach it a part",
      text: "Name a part, as “beak”, and click where it is, picture by picture. After some ten the model finds it on all others.",
      role: "expert",
      hash: "#review",
      isDone: tried.taught > 0,
      told: tried.taught ? `Taught on ${tried.taught === 1 ? "1 picture" : `${tried.taught} pictures`}` : "",
    },
    {
      name: "promote",
      title: "Let the better model go live",
      text: "A second model has learned from more. See by which gold pictures it is better, then press “Make it live”.",
      role: "maintainer",
      hash: "#train/model-1",
      isDone: tried.promoted,
      told: tried.promoted ? "It went live" : "",
    },
    {
      name: "back",
      title: "Take it back",
      text: "“Roll back” on Train brings the model before; Z on Label takes back an answer. Nothing is lost by it.",
      role: "maintainer",
      hash: "#train",
      isDone: tried.went_back,
      told: tried.went_back ? "Rolled back" : "",
    },
  ];
}
