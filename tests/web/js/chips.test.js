import assert from "node:assert/strict";
import { test } from "node:test";
import { placeChips } from "../../../fgdemo/web/static/shared/marks.js";

const NAMES = "crown face bill nape throat breast belly back wing tail leg undertail".split(" ");

/** A part of so many places in a row from here on, all in pixels. */
function part(x, y, count = 1, width = 80) {
  return { width, places: Array.from({ length: count }, (_, at) => [x + 16 * at, y]) };
}

function rectangles(placed) {
  return placed.filter(Boolean).map(({ left, top, width }) => [left, top, left + width, top + 24]);
}

function overlaps(placed) {
  const found = rectangles(placed);
  return found.some((one, at) =>
    found.slice(at + 1).some((other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]),
  );
}

function isInside(placed, [width, height]) {
  return rectangles(placed).every(([left, top, right, bottom]) => left >= 0 && top >= 0 && right <= width && bottom <= height);
}

/** Its part is under it, or a line leads there. */
function isAtItsPart(one, { places }) {
  const isUnder = places.some(([x, y]) => x >= one.left && x <= one.left + one.width && y >= one.top && y <= one.top + 24);
  return isUnder || (one.isLed && places.some(([x, y]) => x === one.anchor[0] && y === one.anchor[1]));
}

test("a chip alone stands in the middle of its part", () => {
  assert.deepEqual(placeChips([part(200, 100)], [400, 300]), [
    { left: 160, top: 88, width: 80, anchor: [200, 100], isLed: false, isShort: false },
  ]);
});

test("at the edge it stays within the room", () => {
  for (const [x, y] of [
    [2, 2],
    [398, 298],
  ])
    assert.ok(isInside(placeChips([part(x, y)], [400, 300]), [400, 300]));
});

test("where its place is taken it takes the next place of its part", () => {
  const [small, large] = placeChips([part(200, 100), part(200, 100, 12)], [600, 300]);
  assert.equal(small.left, 160);
  assert.ok(large.left >= 243 && !large.isLed);
});

test("where all of its part is taken a line leads there", () => {
  const [one, other] = placeChips([part(200, 100), part(200, 104)], [600, 300]);
  assert.ok(!overlaps([one, other]));
  assert.deepEqual([one.isLed, other.isLed], [false, true]);
  assert.deepEqual(other.anchor, [200, 104]);
});

test("a part that is out of sight has none", () => {
  assert.deepEqual(placeChips([part(-20, 50), part(200, 400)], [300, 300]), [null, null]);
  const [half] = placeChips([part(-20, 50, 4)], [300, 300]);
  assert.ok(half.anchor[0] >= 0);
});

for (const [where, room, spread] of [
  ["a large picture", [900, 600], 300],
  ["a phone", [358, 268], 90],
  ["the small picture beside the grid of Review", [300, 300], 60],
  ["a bird of forty pixels", [358, 268], 20],
])
  test(`twelve parts on ${where}: none over another, each at its part, none left out`, () => {
    for (let seed = 1; seed <= 40; seed++) {
      let state = seed;
      const random = () => {
        state = (state * 16807) % 2147483647;
        return state / 2147483647;
      };
      const chips = NAMES.map((name) =>
        part(
          room[0] / 2 + spread * (random() - 0.5),
          room[1] / 2 + spread * (random() - 0.5),
          1 + Math.floor(4 * random()),
          30 + 7.5 * name.length,
        ),
      );
      const placed = placeChips(chips, room);
      assert.ok(placed.every(Boolean), `seed ${seed}`);
      assert.ok(!overlaps(placed), `seed ${seed}`);
      assert.ok(isInside(placed, room), `seed ${seed}`);
      for (const [at, one] of placed.entries()) assert.ok(isAtItsPart(one, chips[at]), `seed ${seed}: ${NAMES[at]}`);
    }
  });

test("what lies over the picture is not covered, nor does it cover", () => {
  const [one] = placeChips([part(200, 280)], [400, 300], [[100, 250, 200, 50]]);
  assert.ok(one.isLed && one.top + 24 <= 250);
});

test("where there is no room for names they are left out, never chips over chips", () => {
  const chips = NAMES.map((_, at) => part(40 + at, 40, 1, 90));
  const placed = placeChips(chips, [100, 100]);
  assert.ok(placed.some((one) => one?.isShort));
  assert.ok(!overlaps(placed) && isInside(placed, [100, 100]));
});
