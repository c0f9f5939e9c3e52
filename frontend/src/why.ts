// Why neighbours changed: the likely causes of each, and what was found of two models.

import { modelClass } from "./colours.js";
import { folded, h } from "./dom.js";
import { textTable } from "./numbers.js";
import type { Answer, Header, Scene } from "./payload.js";

/** The likely causes of the changed neighbours of a query, by row: numbers of the causes. */
export function causesOf(scene: Pick<Scene, "why">, a: Pick<Answer, "model" | "queryModel">, b: Pick<Answer, "model">, query: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const why = scene.why.find(({ models, queryModel }) => a.model !== b.model && models.includes(a.model) && models.includes(b.model) && (queryModel === null || queryModel === a.queryModel));
  if (!why) return found;
  for (let at = first(why.query, query); why.query[at] === query; at++) {
    const bits = why.bits[at];
    found.set(why.row[at], Array.from({ length: 31 }, (_, bit) => bit).filter((bit) => (bits >> bit) & 1));
  }
  return found;
}

/** The first place of a number in an ascending array, its length where there is none as large. */
function first(values: Int32Array, wanted: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What was found, pair by pair, to open; nothing where there is but one collection. */
export function whyFold(head: Header): HTMLElement[] {
  if (!head.why.length) return [];
  const pairs = head.why.map(({ models, words, tables }) => {
    const named = (name: string) => h("span", { class: modelClass(head, name) }, name);
    const [sentence, ...examples] = words;
    return h(
      "section",
      { class: "why" },
      h("h4", {}, named(models[0]), " and ", named(models[1])),
      h("p", {}, sentence),
      ...tables.map((table) => textTable(table, false)),
      examples.length ? folded("Examples", h("ul", {}, ...examples.map((each) => h("li", { dir: "auto" }, each)))) : null,
    );
  });
  return [folded("Why neighbours changed: likely causes, and where more changed than elsewhere", ...pairs)];
}
