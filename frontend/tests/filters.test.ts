import assert from "node:assert/strict";
import test from "node:test";
import { understood, written } from "../src/address.js";
import { filtered, isInside, limitOf, limits, writeLasso } from "../src/filters.js";
import type { State } from "../src/state.js";
import { rays } from "../src/star.js";
import { answer, scene } from "./fixture.js";

const a = answer("A", "A", [0, 2, 1, 0, 2, 3, 3, 2], []);
const b = answer("B", "B", [0, 1, 1, 3, 2, 0, 3, 1], []);
const four = scene([0.2, 0.9, 0.21, Number.NaN], [a, b], ["x", "y", "x", "y"]);
const sorted = (values: ReadonlySet<number> | null) => values && [...values].sort();

test("filters limit rows and queries, and hold all at once", () => {
  assert.deepEqual(sorted(limits(four, {}).queries), null);
  assert.deepEqual(sorted(limits(four, { group: "x" }).queries), [0, 2]);
  assert.deepEqual(sorted(limits(four, { disagreement: "4" }).queries), [0, 2]);
  assert.deepEqual(sorted(limits(four, { search: "BETA" }).rows), [1]);
  assert.deepEqual(sorted(limits(four, { row: "b" }).queries), [0, 1, 3]);
  const two = limits(four, { group: "x", row: "c" });
  assert.deepEqual([sorted(two.queries), two.chips.map(({ kind }) => kind)], [[0, 2], ["group", "row"]]);
  assert.deepEqual(sorted(limits(four, { group: "x", search: "beta" }).queries), []);
});

test("a filter of other data limits nothing", () => {
  for (const [kind, value] of [["row", "no such row"], ["disagreement", "20"], ["disagreement", "x"], ["lasso", "0 1,1"], ["lasso", "7 0,0 1,0 1,1"]] as const)
    assert.equal(limitOf(four, kind, value), null);
  assert.equal(limitOf(scene([0], [a]), "group", "x"), null);
});

test("queries from elsewhere follow the rows that are returned to them", () => {
  const asked = { ...four, queryRow: null, head: { ...four.head, queries: { rows: null, own: false, ids: ["p", "q", "r", "s"], texts: ["one", "two", "three", "four"] } } };
  assert.deepEqual(sorted(limits(asked, { search: "alpha" }).queries), []);
  assert.deepEqual(sorted(limits(asked, { search: "three" }).queries), [2]);
  assert.deepEqual(sorted(limits(asked, { group: "y" }).queries), [0, 1, 2, 3]);
  assert.deepEqual(sorted(limits(asked, { disagreement: "18" }).rows), [0, 1, 3]);
});

test("a lasso goes through text and encloses the same rows", () => {
  const corners = Array.from({ length: 200 }, (_, at) => [Math.cos((at * Math.PI) / 100) * 0.3 - 0.5, Math.sin((at * Math.PI) / 100) * 0.3 - 0.5] as const);
  const text = writeLasso(0, corners);
  assert.ok(text.length < 900);
  assert.deepEqual(sorted(limits(four, { lasso: text }).rows), [0]);
  assert.ok(isInside([[0, 0], [2, 0], [2, 2], [1, 0.5], [0, 2]], 0.3, 1));
  assert.ok(!isInside([[0, 0], [2, 0], [2, 2], [1, 0.5], [0, 2]], 1, 1));
});

test("a filter is set, replaced and taken away", () => {
  assert.deepEqual(filtered({ group: "x" }, "search", "w"), { group: "x", search: "w" });
  assert.deepEqual(filtered({ group: "x" }, "group", "y"), { group: "y" });
  assert.deepEqual(filtered({ group: "x" }, "group", null), {});
});

const first: State = { query: 1, hovered: null, filters: {}, colour: "group", hulls: false, queryModel: null, pair: ["A", "B"], typed: null };

test("the state goes through an address and back", () => {
  const state: State = { ...first, query: 3, pair: ["B", "A"], colour: "disagreement", hulls: true, filters: { group: "x & y", search: "a=b #c" } };
  const told = understood(four, `#${written(four, state, first)}`, first);
  assert.deepEqual(told, { query: 3, queryModel: null, pair: ["B", "A"], colour: "disagreement", hulls: true, filters: state.filters });
  assert.equal(written(four, first, first), "");
});

test("an address of another run is as none", () => {
  const told = understood(four, "#q=nobody&a=C&asked=D&colour=red&b=A", first);
  assert.deepEqual(told, { query: 1, queryModel: null, pair: ["A", "A"], colour: "group", hulls: false, filters: {} });
});

test("a star leads from the query to what the map's own model returned, the other's rows are rings", () => {
  const found = rays(four, { ...first, query: 0 }, "B");
  assert.equal(found.from, 0);
  assert.deepEqual(found.rays.map(({ row, model, own }) => [row, model, own]), [[2, "A", false], [1, "B", true]]);
  const typed = { text: "t", answers: [a, b] };
  assert.equal(rays(four, { ...first, typed }, "A").from, null);
});
