// What is right where that is known: expected results, else the query's own group. Presets pick queries by it.

import { alike, returnedRows } from "./compare.js";
import { queryCount, type Answer, type Scene } from "./payload.js";

/** Whether a row is right for a query: expected, or of its group; null where that is not known, or it is the query itself. */
export function isRight(scene: Scene, query: number, row: number): boolean | null {
  const { expected, items } = scene.head;
  const own = scene.queryRow ? scene.queryRow[query] : null;
  if (expected) return expected[query] && row !== own ? expected[query].includes(row) : null;
  if (!items.groups || own === null || own === row) return null;
  return items.groups[row] === items.groups[own];
}

/** Whether anything is known to be right or wrong. */
export function isJudged({ head, queryRow }: Pick<Scene, "head" | "queryRow">): boolean {
  return head.expected !== null || (head.items.groups !== null && queryRow !== null);
}

/** How a row is marked: right or wrong by judgements; by groups only those of the own one are, as no other need be wrong. */
export function markOf(judged: boolean, right: boolean | null): "right" | "wrong" | "" {
  if (right) return "right";
  return judged && right === false ? "wrong" : "";
}

/** What a right row is called. */
export function rightWords({ head }: Pick<Scene, "head">): string {
  return head.expected ? "expected" : "of its group";
}

export interface Hits {
  right: number;
  of: number;
  /** whether the first row is right, the query itself left out */
  first: boolean;
}

/** How many rows of a list are right, the query itself left out; null where nothing is known of it. */
export function hits(scene: Scene, answer: Answer, query: number): Hits | null {
  const marks = returnedRows(answer, query).map((row) => isRight(scene, query, row)).filter((mark) => mark !== null);
  return marks.length ? { right: marks.filter(Boolean).length, of: marks.length, first: marks[0] } : null;
}

export type PresetKind = "only" | "nobody" | "index";
/** A choice of queries as one text: what, who asked, and for "only" the model that is right, then the one that is wrong. */
export type Preset = readonly [kind: PresetKind, asked: string | null, ...models: string[]];

const FIRST = "the first row";

/** The presets that this run knows enough for: labels for right and wrong, an index that lost something. */
export function presets(scene: Scene, asked: string | null, [a, b]: readonly [string, string]): Preset[] {
  const found: Preset[] = [];
  if (isJudged(scene)) {
    if (a !== b) found.push(["only", asked, a, b], ["only", asked, b, a]);
    found.push(["nobody", asked]);
  }
  if (alike(scene, asked).some((answer) => answer.lostWidth > 0)) found.push(["index", asked]);
  return found;
}

/** The words of a preset on its button, and what exactly they mean. */
export function presetWords(scene: Scene, [kind, , a, b]: Preset): { words: string; about: string } {
  const what = rightWords(scene);
  const judged = scene.head.expected !== null; // a group is no judgement: a neighbour of another one need not be wrong
  const only = judged ? `${a} right, ${b} wrong` : `own group: ${a}, not ${b}`;
  if (kind === "only") return { words: only, about: `${FIRST} of ${a} is ${what}, that of ${b} is not` };
  if (kind === "nobody") return { words: judged ? "nobody right" : "own group: none", about: `${FIRST} of no model is ${what}` };
  return isJudged(scene)
    ? { words: "index lost it", about: `an exact neighbour that is ${what} was not returned by the index` }
    : { words: "index lost some", about: "the index did not return every exact neighbour" };
}

interface Chosen {
  preset: Preset;
  queries: ReadonlySet<number>;
}

const known = new WeakMap<Scene, Map<string, Chosen | null>>(); // of many queries a preset is looked through once

/** The queries of a preset; null where its text says nothing about these data. */
export function ofPreset(scene: Scene, text: string): Chosen | null {
  const mine = known.get(scene) ?? new Map<string, Chosen | null>();
  known.set(scene, mine);
  if (!mine.has(text)) mine.set(text, lookedThrough(scene, parsed(text)));
  return mine.get(text) ?? null;
}

function lookedThrough(scene: Scene, preset: Preset | null): Chosen | null {
  if (!preset) return null;
  const [kind, asked, ...models] = preset;
  const answers = alike(scene, asked);
  const named = models.map((name) => answers.find(({ model }) => model === name));
  if (!answers.length || named.includes(undefined) || (kind === "only" && named.length !== 2)) return null;
  const fits = kind === "index" ? lost(scene, answers) : kind === "nobody" ? nobody(scene, answers) : only(scene, named as [Answer, Answer]);
  const queries = new Set<number>();
  for (let query = 0; query < queryCount(scene); query++) if (fits(query)) queries.add(query);
  return { preset, queries };
}

function parsed(text: string): Preset | null {
  try {
    const found: unknown = JSON.parse(text);
    const whole = Array.isArray(found) && ["only", "nobody", "index"].includes(found[0]) && found.slice(1).every((each) => each === null || typeof each === "string");
    return whole ? (found as unknown as Preset) : null;
  } catch {
    return null;
  }
}

function first(scene: Scene, answer: Answer, query: number): boolean | null {
  for (let at = query * answer.width; at < (query + 1) * answer.width; at++) {
    const row = answer.rows[at];
    if (row < 0) break;
    const mark = isRight(scene, query, row);
    if (mark !== null) return mark;
  }
  return null;
}

const only = (scene: Scene, [a, b]: [Answer, Answer]) => (query: number) => first(scene, a, query) === true && first(scene, b, query) === false;

// Loops without lists of their own: of 100,000 queries these are looked through before the page is seen.
const nobody = (scene: Scene, answers: Answer[]) => (query: number) => {
  let known = false;
  for (const answer of answers) {
    const mark = first(scene, answer, query);
    if (mark) return false;
    known ||= mark === false;
  }
  return known;
};

const lost = (scene: Scene, answers: Answer[]) => {
  const judged = isJudged(scene);
  return (query: number) => {
    for (const { lostRows, lostWidth } of answers)
      for (let at = query * lostWidth; at < (query + 1) * lostWidth && lostRows[at] >= 0; at++) if (!judged || isRight(scene, query, lostRows[at])) return true;
    return false;
  };
};
