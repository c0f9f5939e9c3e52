import assert from "node:assert/strict";
import test from "node:test";
import { alike, blocks, queryModels, returnedRows, shownAnswers, type Entry } from "../src/compare.js";
import { answer, scene } from "./fixture.js";

const a = answer("A", "A", [1, 2, 0, 2, 3, 0, 0, 1], [[[3, 3]], [[3, 3]], [], []]);
const b = answer("B", "B", [2, 3, 0, 3, 3, 0, 0, -1], [[[1, 3]], [[2, 3]], [], [[1, 2]]]);

test("what two models return falls into three blocks, each row with its place in both", () => {
  const { both, only } = blocks(a, b, 0);
  const ranked = (entries: Entry[]) => entries.map(({ row, ranks }) => [row, ...ranks]);
  assert.deepEqual(ranked(both), [[2, 2, 1]]);
  assert.deepEqual(only.map(ranked), [[[1, 1, 3]], [[3, 3, 2]]]);
});

test("the blocks of the pair turned round are the same blocks turned round", () => {
  const [here, there] = [blocks(a, b, 1), blocks(b, a, 1)];
  assert.deepEqual(there.only.map((entries) => entries.map(({ row }) => row)), [...here.only].reverse().map((entries) => entries.map(({ row }) => row)));
  assert.deepEqual(there.both.map(({ row }) => row), [0]);
});

test("short lists hold only what was returned, and a place not known is 0", () => {
  assert.deepEqual(returnedRows(b, 3), [0]);
  const { both, only } = blocks(a, b, 3);
  assert.deepEqual([both, ...only].map((entries) => entries.map(({ row, ranks }) => [row, ...ranks])), [[[0, 1, 1]], [[1, 2, 2]], []]);
  assert.deepEqual(blocks(answer("C", "C", [0, 1], []), answer("D", "D", [2, 3], []), 0).only[0][0].ranks, [1, 0]);
});

test("a typed query stands in place of the one chosen", () => {
  const two = scene([0, 0], [a, b]);
  const state = { typed: null, query: 1, queryModel: null };
  assert.equal(shownAnswers(two, state).query, 1);
  const typed = { text: "t", answers: [b] };
  assert.deepEqual(shownAnswers(two, { ...state, typed }), { answers: [b], query: 0 });
});

test("answers stand side by side by who asked", () => {
  const crossed = scene([0, 0, 0, 0], [a, answer("B", "A", [0, 0], []), answer("A", "B", [0, 0], []), b]);
  assert.deepEqual(queryModels(crossed), ["A", "B"]);
  assert.deepEqual(alike(crossed, "B").map((each) => each.model), ["A", "B"]);
  assert.deepEqual(queryModels(scene([0], [a, b])), []);
  assert.equal(alike(scene([0], [a, b]), null).length, 2);
});
