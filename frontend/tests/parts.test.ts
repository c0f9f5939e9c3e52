import assert from "node:assert/strict";
import test from "node:test";
import { understood, written } from "../src/address.js";
import { colours, dotValues, firstColour, namesBy, palette } from "../src/colouring.js";
import { NEUTRAL } from "../src/colours.js";
import { limitOf } from "../src/filters.js";
import { convexHull, middleHull } from "../src/hulls.js";
import { partFilter, surest } from "../src/parts.js";
import type { Scene } from "../src/payload.js";
import type { State } from "../src/state.js";
import { answer, scene } from "./fixture.js";

const plain = scene([0.2, 0.9, 0.21, Number.NaN], [answer("A", "A", [0, 2, 1, 0, 2, 3, 3, 2], [])]);
const shared = (part: string, models: [string, string], value: number) => ({ part, models, of: 9, value, low: value, high: value, chance: 1, n: 5, asked_with: null });
const byPart = [shared("rain", ["A", "C"], 1), shared("nowhere", ["A", "B"], 2), shared("rain", ["A", "B"], 3), shared("tea, cup", ["A", "B"], 4)];
const clustered: Scene = {
  ...plain,
  head: { ...plain.head, headline: { ...plain.head.headline, by_part: byPart }, parts: { ...plain.head.parts, by: "clusters", names: ["tea, cup", "rain", "few"] } },
  partOfRow: Int32Array.from([1, 0, 0, 1]),
  partOfQuery: Int32Array.from([1, 0, 0, 1]),
  columns: [{ name: "year", values: ["1999", "2001", ""], of: Uint8Array.from([0, 1, 2, 0]) }],
};

test("the parts on which models share fewest come in order, each once, with the pair it is surest of; a click leaves one", () => {
  assert.deepEqual(surest(clustered, 5).map(({ name, at, models }) => [name, at, models]), [["rain", 1, ["A", "C"]], ["tea, cup", 0, ["A", "B"]]]);
  assert.equal(surest(clustered, 1).length, 1);
  const limit = limitOf(clustered, ...partFilter(clustered, "tea, cup"));
  assert.deepEqual([[...(limit?.rows ?? [])], [...(limit?.queries ?? [])], limit?.words], [[1, 2], [1, 2], "cluster tea, cup"]);
  assert.equal(limitOf(clustered, "part", "nothing"), null);
  assert.deepEqual(partFilter({ head: { ...clustered.head, parts: { ...clustered.head.parts, by: "groups" } } }, "x"), ["group", "x"]);
});

test("dots are coloured by whatever the data have", () => {
  assert.deepEqual(colours(plain), ["disagreement"]);
  assert.deepEqual(colours(clustered), ["part", "disagreement", "column year"]);
  assert.deepEqual(colours(scene([0], [], ["x", "y", "x", "y"])), ["group", "disagreement"]);
  assert.deepEqual(colours({ ...clustered, queryRow: null }), ["part", "column year"]);
  assert.deepEqual([plain, clustered, { ...clustered, queryRow: null }, { ...plain, queryRow: null }].map(firstColour), ["disagreement", "disagreement", "part", "disagreement"]);
  const year = namesBy(clustered, "column year");
  assert.deepEqual([year?.names, [...(year?.of ?? [])]], [["1999", "2001", "(none or others)"], [0, 1, 2, 0]]);
  assert.equal(year?.colours[2], NEUTRAL);
  assert.equal(year?.limit(2), null);
  const limit = year?.limit(0);
  assert.deepEqual(limit && [...(limitOf(clustered, ...limit)?.rows ?? [])], [0, 3]);
  assert.deepEqual([...dotValues(clustered, "part")], [1, 0, 0, 1]);
  assert.deepEqual([...dotValues(clustered, "disagreement")].map((each) => Math.round(each * 100)), [20, 90, 21, 0]);
  assert.equal(new Set(palette(clustered, "part", false)).size, 3);
  assert.equal(palette({ ...clustered, queryRow: null }, "disagreement", true)[0], NEUTRAL);
});

test("colour and outlines travel in the address; a column that is not there does not", () => {
  const first: State = { query: 1, hovered: null, filters: {}, colour: "disagreement", hulls: true, queryModel: null, pair: ["A", "A"], typed: null };
  const told = { ...first, colour: "column year" as const, hulls: false };
  const found = understood(clustered, written(clustered, told, first), first);
  assert.deepEqual([found.colour, found.hulls], ["column year", false]);
  assert.equal(understood(plain, "colour=column+year", first).colour, "disagreement");
});

test("a hull holds every point of its corners and no more corners than it needs", () => {
  const square = [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5], [0.2, 0.7], [0.5, 0]] as const;
  assert.deepEqual(new Set(convexHull(square).map(String)), new Set(["0,0", "1,0", "1,1", "0,1"]));
  assert.equal(convexHull([[0, 0], [1, 1]]).length, 2);
});

test("the outline of a part leaves out the rows that lie farthest from its middle", () => {
  const x = [0, 0.1, 0, 0.1, 0.05, 0.05, 0.02, 5, -5, 3];
  const y = [0, 0, 0.1, 0.1, 0.05, 0.02, 0.05, 5, 5, -3];
  const corners = middleHull(x, y, x.map((_, at) => at));
  assert.ok(corners.length >= 4 && corners.every(([a, b]) => Math.abs(a) <= 0.1 && Math.abs(b) <= 0.1));
});
