// What limits maps and lists. A filter is one short text, so that it travels in an address; filters intersect.

import { binLimits, binOf, BINS } from "./bins.js";
import { queryCount, queryId, queryText, type Scene } from "./payload.js";
import { ofPreset, presetWords } from "./right.js";

export const KINDS = ["preset", "group", "part", "column", "disagreement", "search", "row", "lasso"] as const;
export type Kind = (typeof KINDS)[number];
export type Filters = Readonly<Partial<Record<Kind, string>>>;

export interface Limit {
  words: string;
  rows: ReadonlySet<number>;
  queries: ReadonlySet<number>;
}

export interface Limits {
  /** null: all */
  rows: ReadonlySet<number> | null;
  queries: ReadonlySet<number> | null;
  chips: { kind: Kind; words: string }[];
}

const ALL: Limits = { rows: null, queries: null, chips: [] };
let last: { scene: Scene; filters: Filters; limits: Limits } | null = null;

/** Filters with one more, another, or (value null) one less. */
export function filtered(filters: Filters, kind: Kind, value: string | null): Filters {
  const { [kind]: _, ...rest } = filters;
  return value === null || value === "" ? rest : { ...rest, [kind]: value };
}

/** What all filters together leave; every view asks, so the last answer is kept. */
export function limits(scene: Scene, filters: Filters): Limits {
  if (last?.scene === scene && last.filters === filters) return last.limits;
  let found = ALL;
  for (const kind of KINDS) {
    const value = filters[kind];
    const limit = value === undefined ? null : limitOf(scene, kind, value);
    if (!limit) continue;
    found = {
      rows: both(found.rows, limit.rows),
      queries: both(found.queries, limit.queries),
      chips: [...found.chips, { kind, words: limit.words }],
    };
  }
  last = { scene, filters, limits: found };
  return found;
}

function both(some: ReadonlySet<number> | null, others: ReadonlySet<number>): ReadonlySet<number> {
  return some ? new Set([...some].filter((each) => others.has(each))) : others;
}

/** One filter alone; null where its text says nothing about these data (an address of another run). */
export function limitOf(scene: Scene, kind: Kind, value: string): Limit | null {
  switch (kind) {
    case "preset": {
      const found = ofPreset(scene, value);
      return found && { words: presetWords(scene, found.preset).words, queries: found.queries, rows: rowsOf(scene, found.queries) };
    }
    case "group": {
      const { groups } = scene.head.items;
      return groups && byRows(scene, `group ${value}`, places(held(scene), (_, row) => groups[row] === value));
    }
    case "part": {
      const at = scene.head.parts.names.indexOf(value);
      const rows = places(scene.partOfRow, (part) => part === at);
      return at < 0 ? null : { words: `cluster ${value}`, rows, queries: places(scene.partOfQuery, (part) => part === at) };
    }
    case "column": {
      const [name, wanted] = value.split("\n");
      const column = scene.columns.find((each) => each.name === name);
      const code = column?.values.indexOf(wanted) ?? -1;
      return column && code >= 0 ? byRows(scene, `${name} ${wanted}`, places(column.of, (each) => each === code)) : null;
    }
    case "disagreement": {
      const bin = Number(value);
      if (!Number.isInteger(bin) || bin < 0 || bin >= BINS) return null;
      const queries = places(scene.disagreement, (each) => binOf(each) === bin);
      return { words: `disagreement ${binLimits(bin)}`, queries, rows: rowsOf(scene, queries) };
    }
    case "search":
      return searched(scene, value);
    case "row": {
      const row = scene.head.items.ids.indexOf(value);
      if (row < 0) return null;
      const queries = returning(scene, row);
      return { words: `to which a model returns ${value}`, queries, rows: new Set([...rowsOf(scene, queries), row]) };
    }
    case "lasso": {
      const lasso = readLasso(value);
      const map = lasso && scene.maps[lasso.map];
      if (!map) return null;
      const rows = places(map.x, (x, row) => isInside(lasso.corners, x, map.y[row]));
      return byRows(scene, `inside the lasso (${rows.size.toLocaleString("en")} rows)`, rows);
    }
  }
}

/** The rows that maps and lists show; a query typed may have brought others. */
function held(scene: Scene): ArrayLike<number> {
  return scene.queryOfRow;
}

function places<T>(values: ArrayLike<T>, fits: (value: T, at: number) => boolean): Set<number> {
  const found = new Set<number>();
  for (let at = 0; at < values.length; at++) if (fits(values[at], at)) found.add(at);
  return found;
}

function searched(scene: Scene, value: string): Limit {
  const wanted = value.trim().toLowerCase();
  const { ids, texts, groups } = scene.head.items;
  const holds = (...parts: string[]) => parts.join(" ").toLowerCase().includes(wanted);
  const rows = places(held(scene), (_, row) => holds(ids[row], texts[row], groups?.[row] ?? ""));
  const { queryRow } = scene;
  const fits = (query: number) => (queryRow && rows.has(queryRow[query])) || holds(queryId(scene, query), queryText(scene, query));
  return { words: `with “${value.trim()}”`, rows, queries: places({ length: queryCount(scene) }, (_, query) => fits(query)) };
}

function byRows(scene: Scene, words: string, rows: ReadonlySet<number>): Limit {
  return { words, rows, queries: queriesOf(scene, rows) };
}

/** Queries that stand for rows: the rows themselves where they asked, else all to which one of them is returned. */
function queriesOf(scene: Scene, rows: ReadonlySet<number>): Set<number> {
  if (scene.queryRow) return places(scene.queryRow, (row) => rows.has(row));
  const found = new Set<number>();
  for (const answer of scene.answers) answer.rows.forEach((row, at) => rows.has(row) && found.add(Math.floor(at / answer.width)));
  return found;
}

function rowsOf(scene: Scene, queries: ReadonlySet<number>): Set<number> {
  const { queryRow } = scene;
  return queryRow ? new Set([...queries].map((query) => queryRow[query])) : returnedTo(scene, queries);
}

/** The rows that any list shown returns to some queries. */
export function returnedTo(scene: Scene, queries: ReadonlySet<number>): Set<number> {
  const found = new Set<number>();
  for (const answer of scene.answers)
    for (const query of queries)
      for (const row of answer.rows.subarray(query * answer.width, (query + 1) * answer.width)) if (row >= 0) found.add(row);
  return found;
}

/** The queries to which any list shown returns a row. */
export function returning(scene: Scene, row: number): Set<number> {
  const found = new Set<number>();
  for (const answer of scene.answers) answer.rows.forEach((each, at) => each === row && found.add(Math.floor(at / answer.width)));
  return found;
}

type Corner = readonly [x: number, y: number];
const MOST_CORNERS = 60;

/** A lasso as text: the number of its map, then its corners, few enough for an address. */
export function writeLasso(map: number, corners: readonly Corner[]): string {
  const step = Math.ceil(corners.length / MOST_CORNERS);
  const kept = corners.filter((_, at) => at % step === 0);
  return `${map} ${kept.map(([x, y]) => `${x.toFixed(3)},${y.toFixed(3)}`).join(" ")}`;
}

function readLasso(value: string): { map: number; corners: Corner[] } | null {
  const [map, ...rest] = value.split(" ");
  const corners = rest.map((each) => each.split(",").map(Number) as [number, number]);
  return corners.length > 2 && corners.every((each) => each.length === 2 && each.every(Number.isFinite)) ? { map: Number(map), corners } : null;
}

/** Whether a point is inside a polygon: a ray to its right crosses the border an odd number of times. */
export function isInside(corners: readonly Corner[], x: number, y: number): boolean {
  let inside = false;
  for (let at = 0, before = corners.length - 1; at < corners.length; before = at++) {
    const [[ax, ay], [bx, by]] = [corners[at], corners[before]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
