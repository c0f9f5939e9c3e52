import assert from "node:assert/strict";
import test from "node:test";
import { amount, coloursOf, inkOn, modelClass, namesOf } from "../src/colours.js";
import { BINS, binOf, counted } from "../src/bins.js";
import { returnedTo, returning } from "../src/filters.js";
import { listed, queryListing, rowListing } from "../src/listview.js";
import { besideEachOther } from "../src/querycard.js";
import { Store } from "../src/state.js";
import { answer, scene } from "./fixture.js";

const four = queryListing(scene([0.2, 0.9, Number.NaN, 0.2], []));

test("queries are sorted by disagreement, the undefined last either way, ties by row", () => {
  assert.deepEqual(listed(four, null, "disagreement", true), [1, 0, 3, 2]);
  assert.deepEqual(listed(four, null, "disagreement", false), [0, 3, 1, 2]);
});

test("a filter limits what is listed", () => {
  assert.deepEqual(listed(four, new Set([3, 0]), "id", true), [3, 0]);
  assert.deepEqual(listed(four, new Set([3, 0, 2]), "text", false), [0, 3, 2]);
  assert.deepEqual(listed(four, new Set(), "id", true), []);
});

test("rows are listed like queries, by how differently often the models return them", () => {
  const rows = rowListing(scene([], []));
  assert.deepEqual(listed(rows, null, "disagreement", true), [0, 3, 2, 1]);
  assert.deepEqual(listed(rowListing(scene([], [], ["y", "x", "y", "x"])), null, "group", false), [1, 3, 0, 2]);
});

test("from queries to the rows returned to them, and back", () => {
  const two = scene([0, 0], [answer("m", "m", [1, 2, 0, -1], []), answer("n", "n", [3, 2, 0, 1], [])]);
  assert.deepEqual([...returnedTo(two, new Set([0]))].sort(), [1, 2, 3]);
  assert.deepEqual([...returning(two, 1)].sort(), [0, 1]);
  assert.deepEqual([...returning(two, 3)], [0]);
});

test("every defined value has a bin", () => {
  assert.equal(binOf(0), 0);
  assert.equal(binOf(1), BINS - 1);
  assert.equal(binOf(Number.NaN), -1);
  assert.equal(counted(four.values).reduce((sum, count) => sum + count), 3);
});

test("up to a hundred names have a colour of their own, all different", () => {
  for (const count of [2, 9, 16, 77, 100]) {
    const values = Array.from({ length: count }, (_, at) => `g${at}`);
    const { names, colours, of } = coloursOf(values);
    assert.deepEqual(new Set(names), new Set(values));
    assert.equal(new Set([...of.values()].map((at) => colours[at])).size, count);
    for (const colour of colours) assert.match(colour, /^#[0-9a-f]{6}$/);
  }
});

test("of more than a hundred the rare names share the last colour and are counted", () => {
  const values = Array.from({ length: 120 }, (_, at) => `g${String(at).padStart(3, "0")}`);
  const { names, colours, of } = coloursOf([...values, ...values.slice(20)]);
  assert.equal(names.length, 100);
  assert.equal(names[99], "21 others");
  assert.equal(of.get("g019"), 99);
  assert.equal(of.get("g020"), 0);
  assert.equal(colours[99], "#8c8c8c");
});

test("ink reads on its ground", () => {
  assert.equal(inkOn(0), "#000");
  assert.equal(inkOn(1), "#fff");
  assert.match(amount(0.5), /^#[0-9a-f]{6}$/);
});

test("listeners hear what changed, and nothing when nothing did", () => {
  const store = new Store({ query: null, hovered: null, filters: {}, colour: "group", hulls: false, queryModel: null, pair: ["a", "b"], typed: null });
  const heard: string[] = [];
  store.subscribe((_, changed) => heard.push([...changed].join()));
  store.set({ query: 3 });
  store.set({ query: 3 });
  store.set({ hovered: 1, colour: "group" });
  assert.deepEqual(heard, ["query", "hovered"]);
  store.set({ typed: { text: "t", answers: [] } });
  store.set({ query: 1 });
  assert.equal(store.state.typed, null);
});

test("of many models the query's card shows the pair that is compared and the first others, in their order", () => {
  const answers = ["a", "b", "c", "d", "bm25"].map((model) => answer(model, model, [], []));
  const shown = (pair: string[]) => besideEachOther(answers, pair).map(({ model }) => model);
  assert.deepEqual(shown(["a", "b"]), ["a", "b", "c"]);
  assert.deepEqual(shown(["d", "b"]), ["a", "b", "d"]);
  assert.deepEqual(shown(["bm25", "bm25"]), ["a", "b", "bm25"]);
});

test("a model that only the headline names has a colour in its words, too", () => {
  const { head } = scene([], []);
  const named = { ...head, models: ["a"], headline: { ...head.headline, standings: [{ model: "bm25" }] } } as unknown as typeof head;
  assert.deepEqual(namesOf(named), ["a", "bm25"]);
  assert.notEqual(modelClass(named, "bm25"), modelClass(named, "nobody"));
});
