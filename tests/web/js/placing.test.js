// What becomes of points while they are placed, and what is sent of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Placing } from "../../../fgdemo/web/static/points/placing.js";

const part = (name, colour = "#E69F00") => ({ name, colour, pictures: 3, found: 1, placed: 3 });

function begun() {
  return new Placing({
    parts: [part("crown"), part("wing"), part("tail")],
    points: [{ part: "crown", x: 0.4, y: 0.2 }],
    guesses: [{ part: "wing", x: 0.6, y: 0.5, is_sure: true }],
    free_colours: Array.from({ length: 9 }, (_, at) => `#00000${at}`),
  });
}

test("the first part without a point is active, and after each click the next", () => {
  const placing = begun();
  assert.equal(placing.active, "wing");
  placing.place({ x: 0.7, y: 0.55 });
  assert.equal(placing.active, "tail");
  placing.place({ x: 0.9, y: 0.8 });
  assert.equal(placing.active, "tail"); // all are placed: a click moves the last
  assert.deepEqual(placing.changed, [
    { part: "wing", x: 0.7, y: 0.55 },
    { part: "tail", x: 0.9, y: 0.8 },
  ]);
});

test("a guess is none of the points until somebody takes it", () => {
  const placing = begun();
  assert.deepEqual(placing.changed, []);
  placing.accept();
  assert.deepEqual(placing.changed, [{ part: "wing", x: 0.6, y: 0.5 }]);
  assert.equal(placing.guesses.size, 0);
});

test("a guess of a part that may not be seen is taken by itself alone", () => {
  const placing = new Placing({
    parts: [part("crown"), part("wing"), part("leg")],
    points: [],
    guesses: [
      { part: "wing", x: 0.6, y: 0.5, is_sure: true },
      { part: "leg", x: 0.5, y: 0.9, is_sure: false },
    ],
    free_colours: [],
  });
  placing.accept();
  assert.deepEqual([...placing.points.keys()], ["wing"]);
  assert.deepEqual(placing.sure, []);
  placing.accept(); // there is nothing sure: no step to take back
  placing.take("leg");
  assert.deepEqual([...placing.points.keys()], ["wing", "leg"]);
  placing.undo();
  placing.undo();
  assert.equal(placing.points.size, 0);
});

test("a point stays on the picture, and one that is not seen is said so", () => {
  const placing = begun();
  placing.set("crown", { x: -3, y: 7 });
  assert.deepEqual(placing.changed, [{ part: "crown", x: 0, y: 1 }]);
  placing.set("crown", null);
  assert.deepEqual(placing.changed, [{ part: "crown", x: null, y: null }]);
});

test("undo goes back step by step, to what was kept", () => {
  const placing = begun();
  placing.place({ x: 0.7, y: 0.55 });
  placing.nudge("crown", 0.01, 0);
  assert.equal(placing.undo(), true);
  assert.deepEqual(placing.changed, [{ part: "wing", x: 0.7, y: 0.55 }]);
  assert.equal(placing.undo(), true);
  assert.deepEqual(placing.changed, []);
  assert.equal(placing.undo(), false);
});

test("arrows move a guess from where it is drawn", () => {
  const placing = begun();
  placing.nudge("wing", 0, 0.01);
  assert.deepEqual(placing.changed, [{ part: "wing", x: 0.6, y: 0.51 }]);
});

test("a part has a name, and a group has twelve", () => {
  const placing = begun();
  assert.match(placing.addPart("   "), /1 to 40/);
  assert.match(placing.addPart("x".repeat(41)), /1 to 40/);
  assert.equal(placing.addPart("  upper   bill "), "");
  assert.equal(placing.active, "upper bill");
  assert.equal(placing.addPart("crown"), ""); // which there is: it is chosen
  assert.deepEqual([placing.active, placing.parts.length], ["crown", 4]);
  for (let at = 4; at < 12; at++) assert.equal(placing.addPart(`part ${at}`), "");
  assert.match(placing.addPart("one more"), /at most 12/);
});

test("what the server learns meanwhile leaves what was placed alone", () => {
  const placing = begun();
  placing.addPart("belly");
  placing.place({ x: 0.5, y: 0.7 });
  placing.renew({
    free_colours: [],
    parts: [part("wing"), part("crown"), part("tail")],
    guesses: [
      { part: "belly", x: 0.1, y: 0.1 },
      { part: "tail", x: 0.9, y: 0.9 },
    ],
  });
  assert.deepEqual(
    placing.parts.map((one) => one.name),
    ["wing", "crown", "tail", "belly"],
  );
  assert.deepEqual([...placing.guesses.keys()], ["tail"]);
  assert.deepEqual(placing.changed, [{ part: "belly", x: 0.5, y: 0.7 }]);
});

test("a drag is one step, and a pressed guess is right", () => {
  const placing = begun();
  placing.take("wing");
  assert.deepEqual(placing.changed, [{ part: "wing", x: 0.6, y: 0.5 }]);
  placing.drag("wing", { x: 0.61, y: 0.5 });
  placing.drag("wing", { x: 0.65, y: 0.5 });
  assert.deepEqual(placing.changed, [{ part: "wing", x: 0.65, y: 0.5 }]);
  placing.undo();
  assert.deepEqual(placing.changed, []);
});
