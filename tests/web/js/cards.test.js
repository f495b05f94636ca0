// The cards of a demo: what is done, who may, and which address is a pair.

import assert from "node:assert/strict";
import test from "node:test";
import { cardsOf, isEnough, isPair, pageOf } from "../../../fgdemo/web/static/demo/cards.js";

const NOTHING = { pictures: 240, answered: 0, wrong: 24, found: 0, taught: 0, promoted: false, went_back: false, teach: "a".repeat(64) };

const doneOf = (tried, hasCompared = false) =>
  cardsOf({ ...NOTHING, ...tried }, hasCompared)
    .filter((card) => card.isDone)
    .map((card) => card.name);

test("nothing is done at first, and nothing is told", () => {
  assert.deepEqual(doneOf({}), []);
  assert.deepEqual(new Set(cardsOf(NOTHING, false).map((card) => card.told)), new Set([""]));
});

for (const [tried, names] of [
  [{ answered: 19, found: 18 }, []],
  [{ answered: 20, found: 11 }, ["wrong"]],
  [{ answered: 24, found: 24 }, ["wrong"]],
  [{ taught: 1 }, ["teach"]],
  [{ promoted: true }, ["promote"]],
  [{ promoted: true, went_back: true }, ["promote", "back"]],
])
  test(`${JSON.stringify(tried)} does ${names}`, () => assert.deepEqual(doneOf(tried), names));

test("a pair was looked at", () => assert.deepEqual(doneOf({}, true), ["pair"]));

test("what was found is told as it goes on", () => {
  const [wrong] = cardsOf({ ...NOTHING, answered: 7, found: 6 }, false);
  assert.equal(wrong?.told, "7 answered, 6 of 24 put right");
});

test("a maintainer may do what an expert may, and not the other way round", () => {
  assert.deepEqual(
    ["visitor", "expert", "maintainer"].map((role) => [isEnough(role, "expert"), isEnough(role, "maintainer")]),
    [
      [false, false],
      [true, false],
      [true, true],
    ],
  );
});

test("only the view of a pair is one", () => {
  assert.equal(isPair("#review?view=pair&a=x&b=y"), true);
  for (const hash of ["#review", "#review?view=kinds", "#label?view=pair", ""]) assert.equal(isPair(hash), false);
});

test("the page that an address leads to is the first word behind its hash", () => {
  const pages = [
    "http://a/",
    "http://a/#classify",
    "http://a/#label/suspicion",
    "http://a/#review?view=pair&a=b/c",
    "http://a/x#train/model-1",
  ];
  assert.deepEqual(pages.map(pageOf), ["classify", "classify", "label", "review", "train"]);
});
