import assert from "node:assert/strict";
import test from "node:test";
import { limits } from "../src/filters.js";
import { judgedAnswers, listed, queryListing } from "../src/listview.js";
import type { Scene } from "../src/payload.js";
import { hits, isJudged, isRight, markOf, ofPreset, presets, presetWords } from "../src/right.js";
import { answer, scene } from "./fixture.js";

// Groups: a and c are x, b and d are y. Of query a the list of A begins with c (right), that of B with b (wrong).
const a = answer("A", "A", [2, 1, 3, 0, 0, 1, 0, 2], []);
const b = answer("B", "B", [1, 2, 0, 2, 0, 3, 2, 1], []);
const grouped = scene([0.2, 0.9, 0.21, 0.4], [a, b], ["x", "y", "x", "y"]);
const judged: Scene = { ...grouped, head: { ...grouped.head, expected: { 0: [1], 3: [0, 3] } } };
const chosen = (of: Scene, ...preset: (string | null)[]) => [...(ofPreset(of, JSON.stringify(preset))?.queries ?? [])];

test("right is what is expected, else what is of the query's group; never the query itself", () => {
  assert.deepEqual([isRight(grouped, 0, 2), isRight(grouped, 0, 1), isRight(grouped, 0, 0)], [true, false, null]);
  assert.deepEqual([isRight(judged, 0, 1), isRight(judged, 0, 2), isRight(judged, 1, 3), isRight(judged, 3, 3)], [true, false, null, null]);
  assert.deepEqual(hits(grouped, a, 0), { right: 1, of: 2, first: true });
  assert.equal(hits(judged, a, 1), null);
  assert.ok(!isJudged(scene([0], [a])));
});

test("presets pick the queries by the first row of each list", () => {
  assert.deepEqual(chosen(grouped, "only", null, "A", "B"), [0, 1]);
  assert.deepEqual(chosen(grouped, "only", null, "B", "A"), []);
  assert.deepEqual(chosen(grouped, "nobody", null), [3]);
  assert.deepEqual(chosen(judged, "only", null, "B", "A"), [0]);
  assert.deepEqual(chosen(judged, "nobody", null), []);
});

test("a preset is one filter among others", () => {
  const both = limits(grouped, { preset: JSON.stringify(["only", null, "A", "B"]), group: "y" });
  assert.deepEqual([[...(both.queries ?? [])], [...(both.rows ?? [])]], [[1], [1]]);
  assert.deepEqual(both.chips.map(({ words }) => words), ["own group: A, not B", "group y"]);
  assert.equal(presetWords(judged, ["only", null, "A", "B"]).words, "A right, B wrong"); // of judgements alone
});

test("only what a run knows is offered", () => {
  const lossy = { ...a, lostWidth: 1, lostRows: Int32Array.from([2, -1, 3, -1]) };
  const kinds = (of: Scene) => presets(of, null, ["A", "B"]).map(([kind]) => kind);
  assert.deepEqual(kinds(grouped), ["only", "only", "nobody"]);
  assert.deepEqual(kinds(scene([0], [a, b])), []);
  assert.deepEqual(kinds(scene([0], [lossy, b])), ["index"]);
  assert.deepEqual(chosen(scene([0, 0, 0, 0], [lossy, b]), "index", null), [0, 2]);
  assert.deepEqual(chosen({ ...grouped, answers: [lossy, b] }, "index", null), [0]); // d is of another group than c
  assert.equal(presetWords(grouped, ["index", null]).words, "index lost it");
});

test("a preset of another run is none", () => {
  for (const text of ["", "{}", '["only",null,"A","C"]', '["only",null]', '["best",null]', '["only",1,"A","B"]']) assert.equal(ofPreset(grouped, text), null);
});

test("the list has a column of right and wrong for each model, of many for the pair, and is sorted by it", () => {
  const state = { queryModel: null, pair: ["B", "A"] as const };
  assert.deepEqual(judgedAnswers(grouped, state).map(({ model }) => model), ["A", "B"]);
  const many = { ...grouped, answers: [a, b, ...["C", "D"].map((name) => answer(name, name, [0, 1, 0, 1, 0, 1, 0, 1], []))] };
  assert.deepEqual(judgedAnswers(many, state).map(({ model }) => model), ["B", "A"]);
  assert.deepEqual(judgedAnswers(scene([0], [a]), state), []);
  assert.deepEqual(listed(queryListing(grouped), null, "right A", true, [0.5, 1, Number.NaN, 0]), [1, 0, 3, 2]);
});

test("a row of another group is not marked as wrong; one that nobody expects is", () => {
  assert.deepEqual([true, false, null].map((right) => markOf(false, right)), ["right", "", ""]);
  assert.deepEqual([true, false, null].map((right) => markOf(true, right)), ["right", "wrong", ""]);
});
