// Where a picture lies on the stage. Stage lengths are in CSS pixels; points and boxes are fractions of the picture.

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box */
/** @typedef {{x: number, y: number, width: number, height: number}} Frame the whole picture on the stage */
/** @typedef {[number, number]} Pair width and height, or x and y */

/** @type {Box} */
export const WHOLE = { left: 0, top: 0, right: 1, bottom: 1 };

/**
 * Stage pixels for one of the picture, so that the area just fits into the room.
 *
 * @param {Box} area
 * @param {Pair} picture its pixels
 * @param {Pair} room
 */
export function scaleThatFits({ left, top, right, bottom }, [width, height], [across, down]) {
  return Math.min(across / ((right - left) * width), down / ((bottom - top) * height));
}

/**
 * The picture at this scale, with `centre`, one of its points, in the middle of the stage.
 *
 * @param {number} scale
 * @param {Pair} picture its pixels
 * @param {Pair} centre
 * @param {Pair} stage
 * @returns {Frame}
 */
export function frameOf(scale, picture, centre, stage) {
  const [width, height] = picture.map((pixels) => pixels * scale);
  return { x: stage[0] / 2 - centre[0] * width, y: stage[1] / 2 - centre[1] * height, width, height };
}

/**
 * The point of the picture that is at (x, y) of the stage.
 *
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @returns {Pair}
 */
export function pointAt(frame, x, y) {
  return [(x - frame.x) / frame.width, (y - frame.y) / frame.height];
}

/**
 * @param {Box} box
 * @param {Frame} frame
 * @returns {[number, number, number, number]} left, top, width, height on the stage
 */
export function rectOf({ left, top, right, bottom }, frame) {
  return [frame.x + left * frame.width, frame.y + top * frame.height, (right - left) * frame.width, (bottom - top) * frame.height];
}

/**
 * A centre near this one that leaves no empty stage where the picture could fill it. Along a side that is all in view the
 * picture stays within the stage: in its middle, unless `isFree`.
 *
 * @param {Pair} centre
 * @param {Frame} frame
 * @param {Pair} stage
 * @param {boolean} isFree
 * @returns {Pair}
 */
export function keptInView(centre, { width, height }, stage, isFree) {
  const half = [stage[0] / 2 / width, stage[1] / 2 / height];
  /** @param {0 | 1} axis */
  const kept = (axis) => {
    if (half[axis] < 0.5) return Math.min(1 - half[axis], Math.max(half[axis], centre[axis]));
    return isFree ? Math.min(1, Math.max(0, centre[axis])) : 0.5;
  };
  return [kept(0), kept(1)];
}
