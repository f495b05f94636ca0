// A crop box being drawn: {left, top, right, bottom} in fractions of the picture. Pure functions.

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */
/** @typedef {number[]} Point across and down */
/** @typedef {{kind: "move", start: Point, before: Box} | {kind: "corner", fixed: Point, before: Box | null}} Grip */

const SMALLEST = 0.02;
const NUDGE = 0.02;
/** @type {[keyof Box, keyof Box][]} a side, and the one opposite */
const ACROSS = [
  ["left", "right"],
  ["right", "left"],
];
/** @type {[keyof Box, keyof Box][]} */
const DOWN = [
  ["top", "bottom"],
  ["bottom", "top"],
];

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
const within = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * What a press at `point` takes hold of: a corner of `box` if it is within `reach` (in fractions, per axis), the box as
 * a whole, or the first corner of a new one. `before` is the box to go back to.
 *
 * @param {Box | null} box
 * @param {Point} point
 * @param {Point} reach
 * @returns {Grip}
 */
export function gripAt(box, point, reach) {
  const start = point.map((value) => within(value, 0, 1));
  if (box) {
    const x = ACROSS.find(([side]) => Math.abs(start[0] - box[side]) <= reach[0]);
    const y = DOWN.find(([side]) => Math.abs(start[1] - box[side]) <= reach[1]);
    if (x && y) return { kind: "corner", fixed: [box[x[1]], box[y[1]]], before: box };
    const inside = start[0] > box.left && start[0] < box.right && start[1] > box.top && start[1] < box.bottom;
    if (inside) return { kind: "move", start, before: box };
  }
  return { kind: "corner", fixed: start, before: box };
}

/**
 * The box when what is gripped has been dragged to `point`.
 *
 * @param {Grip} grip
 * @param {Point} point
 * @returns {Box}
 */
export function dragged(grip, point) {
  const [x, y] = point.map((value) => within(value, 0, 1));
  if (grip.kind === "move") return shifted(grip.before, x - grip.start[0], y - grip.start[1]);
  const { fixed } = grip;
  return {
    left: Math.min(fixed[0], x),
    top: Math.min(fixed[1], y),
    right: Math.max(fixed[0], x),
    bottom: Math.max(fixed[1], y),
  };
}

/** @param {Box | null} box */
export function isLargeEnough(box) {
  return box !== null && box.right - box.left >= SMALLEST && box.bottom - box.top >= SMALLEST;
}

/**
 * @param {Box} box
 * @param {number} dx
 * @param {number} dy
 */
function shifted(box, dx, dy) {
  const x = within(dx, -box.left, 1 - box.right);
  const y = within(dy, -box.top, 1 - box.bottom);
  return { left: box.left + x, top: box.top + y, right: box.right + x, bottom: box.bottom + y };
}

/**
 * One step of an arrow key: the box moves,
 *
 * @param {Box} box
 * @param {Point} step
 */
export function moved(box, [dx, dy]) {
  return shifted(box, dx * NUDGE, dy * NUDGE);
}

/**
 * or its lower right corner does.
 *
 * @param {Box} box
 * @param {Point} step
 */
export function grown(box, [dx, dy]) {
  return {
    ...box,
    right: within(box.right + dx * NUDGE, box.left + 2 * SMALLEST, 1),
    bottom: within(box.bottom + dy * NUDGE, box.top + 2 * SMALLEST, 1),
  };
}
