// A crop box being drawn: {left, top, right, bottom} in fractions of the picture. Pure functions.

const SMALLEST = 0.02;
const NUDGE = 0.02;

const within = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * What a press at `point` takes hold of: a corner of `box` if it is within `reach` (in fractions, per axis), the box as
 * a whole, or the first corner of a new one. `before` is the box to go back to.
 */
export function gripAt(box, point, reach) {
  const start = point.map((value) => within(value, 0, 1));
  if (box) {
    const x = [
      ["left", "right"],
      ["right", "left"],
    ].find(([side]) => Math.abs(start[0] - box[side]) <= reach[0]);
    const y = [
      ["top", "bottom"],
      ["bottom", "top"],
    ].find(([side]) => Math.abs(start[1] - box[side]) <= reach[1]);
    if (x && y) return { kind: "corner", fixed: [box[x[1]], box[y[1]]], before: box };
    const inside = start[0] > box.left && start[0] < box.right && start[1] > box.top && start[1] < box.bottom;
    if (inside) return { kind: "move", start, before: box };
  }
  return { kind: "corner", fixed: start, before: box };
}

/** The box when what is gripped has been dragged to `point`. */
export function dragged({ kind, fixed, start, before }, point) {
  const [x, y] = point.map((value) => within(value, 0, 1));
  if (kind === "move") return shifted(before, x - start[0], y - start[1]);
  return {
    left: Math.min(fixed[0], x),
    top: Math.min(fixed[1], y),
    right: Math.max(fixed[0], x),
    bottom: Math.max(fixed[1], y),
  };
}

export function isLargeEnough(box) {
  return Boolean(box) && box.right - box.left >= SMALLEST && box.bottom - box.top >= SMALLEST;
}

function shifted(box, dx, dy) {
  const x = within(dx, -box.left, 1 - box.right);
  const y = within(dy, -box.top, 1 - box.bottom);
  return { left: box.left + x, top: box.top + y, right: box.right + x, bottom: box.bottom + y };
}

/** One step of an arrow key: the box moves, */
export function moved(box, [dx, dy]) {
  return shifted(box, dx * NUDGE, dy * NUDGE);
}

/** or its lower right corner does. */
export function grown(box, [dx, dy]) {
  return {
    ...box,
    right: within(box.right + dx * NUDGE, box.left + 2 * SMALLEST, 1),
    bottom: within(box.bottom + dy * NUDGE, box.top + 2 * SMALLEST, 1),
  };
}
