import assert from "node:assert/strict";
import { test } from "node:test";
import { said } from "../../../fgdemo/web/static/review/tile.js";

const TILE = {
  given: "a",
  given_name: "Alpha",
  suggested: "b",
  suggested_name: "Beta",
  checked: false,
  disputed: false,
  locked: false,
};

for (const [what, more, words, doubt, isDoubted] of [
  ["a doubted label", {}, "Alpha, looks like Beta", "Beta", true],
  ["one that fits", { suggested: "a" }, "Alpha", "", false],
  ["nothing suggested", { suggested: null }, "Alpha", "", false],
  ["a checked one", { checked: true }, "Alpha, checked", "", false],
  ["a disputed one", { disputed: true }, "Alpha, disputed, looks like Beta", "disputed", false],
  ["a doubted gold one", { locked: true }, "Alpha, gold, looks like Beta", "gold · Beta", true],
]) {
  test(`${what}: ${words}`, () => assert.deepEqual(said({ ...TILE, ...more }), { words, doubt, isDoubted }));
}
