// Points as they are being placed on one picture: what is known, what was changed, and what is guessed. No page in here.

const NAME = /^[^\p{C}]{1,40}$/u;

/** @typedef {{x: number, y: number}} Place */
/** @typedef {Place & {part: string}} Point */
/** @typedef {{name: string, colour: string, pictures: number, found: number, placed: number}} Part */

/** @typedef {Point & {is_sure: boolean}} Guess */
/** @typedef {{parts: Part[], points: Point[], guesses: Guess[], free_colours: string[]}} Told */

export class Placing {
  /** @param {Told} told */
  constructor(told) {
    /** @type {Part[]} */
    this.parts = [...told.parts];
    this.kept = asMap(told.points);
    this.points = new Map(this.kept);
    this.guesses = asMap(told.guesses);
    this.doubtful = doubtfulOf(told.guesses);
    this.free = [...told.free_colours];
    /** @type {Map<string, Place>[]} */
    this.before = [];
    /** @type {string | null} */
    this.active = this.nextPart();
  }

  /** What the server has learned meanwhile; what a person placed or moved stays. @param {Told} told */
  renew(told) {
    const mine = this.parts.filter((part) => !told.parts.some((one) => one.name === part.name));
    this.parts = [...told.parts, ...mine];
    this.guesses = asMap(told.guesses.filter((one) => !this.points.has(one.part)));
    this.doubtful = doubtfulOf(told.guesses);
    this.active ??= this.nextPart();
  }

  /** The first part that has no point here, or null. */
  nextPart() {
    return this.parts.find((part) => !this.points?.has(part.name))?.name ?? null;
  }

  /** @param {string} part */
  choose(part) {
    this.active = part;
  }

  /** A new part. Gives a sentence where that cannot be. @param {string} written */
  addPart(written) {
    const name = written.trim().replace(/\s+/g, " ");
    if (!NAME.test(name)) return "A part has a name of 1 to 40 characters.";
    if (!this.parts.some((part) => part.name === name)) {
      const colour = this.free.shift();
      if (!colour) return `A group has at most ${this.parts.length} parts.`;
      this.parts.push({ name, colour, pictures: 0, found: 0, placed: 0 });
    }
    this.active = name;
    return "";
  }

  /** The active part is here; the next one without a point is active then. @param {Place} place */
  place(place) {
    if (this.active === null) return;
    const isNew = !this.points.has(this.active);
    this.set(this.active, place);
    if (isNew) this.active = this.nextPart() ?? this.active;
  }

  /** @param {string} part @param {Place | null} place null: it is not seen here */
  set(part, place) {
    this.before.push(new Map(this.points));
    if (place) this.points.set(part, within(place));
    else this.points.delete(part);
    this.guesses.delete(part);
  }

  /** Its mark was pressed: it is chosen, and a guess that is pressed is right. @param {string} part */
  take(part) {
    const guess = this.guesses.get(part);
    this.active = part;
    if (guess && !this.points.has(part)) this.set(part, guess);
    else this.before.push(new Map(this.points)); // to where it goes back if it is dragged now
  }

  /** On the way: one drag is one step of `undo`. @param {string} part @param {Place} place */
  drag(part, place) {
    this.points.set(part, within(place));
  }

  /** By so much of the picture; from the guess, or from the middle, where it has no point yet. @param {string} part @param {number} dx @param {number} dy */
  nudge(part, dx, dy) {
    const from = this.points.get(part) ?? this.guesses.get(part) ?? { x: 0.5, y: 0.5 };
    this.set(part, { x: from.x + dx, y: from.y + dy });
  }

  /** Guesses of parts that are surely seen; the doubtful ones are taken one by one. */
  get sure() {
    return [...this.guesses].filter(([part]) => !this.doubtful.has(part));
  }

  accept() {
    const { sure } = this;
    if (!sure.length) return;
    this.before.push(new Map(this.points));
    for (const [part, place] of sure) {
      this.points.set(part, place);
      this.guesses.delete(part);
    }
    this.active = this.nextPart() ?? this.active;
  }

  undo() {
    const last = this.before.pop();
    if (last) this.points = last;
    return Boolean(last);
  }

  /** What is to be kept: points that are new or moved, and without a place those that were taken away. */
  get changed() {
    const moved = [...this.points].filter(([part, { x, y }]) => {
      const old = this.kept.get(part);
      return !old || old.x !== x || old.y !== y;
    });
    const gone = [...this.kept.keys()].filter((part) => !this.points.has(part));
    return [...moved.map(([part, { x, y }]) => ({ part, x, y })), ...gone.map((part) => ({ part, x: null, y: null }))];
  }
}

/** @param {Point[]} points @returns {Map<string, Place>} */
function asMap(points) {
  return new Map(points.map(({ part, x, y }) => [part, { x, y }]));
}

/** Parts that may not be seen at all. @param {Guess[]} guesses @returns {Set<string>} */
function doubtfulOf(guesses) {
  return new Set(guesses.filter((one) => !one.is_sure).map(({ part }) => part));
}

/** @param {Place} place @returns {Place} */
function within({ x, y }) {
  const inside = (/** @type {number} */ value) => Math.round(1e5 * Math.min(1, Math.max(0, value))) / 1e5;
  return { x: inside(x), y: inside(y) };
}

/** What the history says of a point; null where an event is none. @param {{part: string, x: number | null} | null} point */
export function pointWords(point) {
  if (!point) return null;
  return point.x === null ? `no ${point.part} seen` : `${point.part} placed`;
}
