// The groups of the corpus, or its suggested clusters, by how much the models disagree in them; a click leaves only one.

import { rail } from "./rail.js";
import { h } from "./dom.js";
import { filtered, type Kind } from "./filters.js";
import type { Part, Scene } from "./payload.js";
import type { Store } from "./state.js";

/** The filter that leaves one part only. */
export function partFilter({ head }: Pick<Scene, "head">, name: string): readonly [Kind, string] {
  return [head.parts.by === "groups" ? "group" : "part", name];
}

/** The parts that are ordered by disagreement, the first so many, with their places. */
export function surest({ head }: Pick<Scene, "head">, most: number): { part: Part; at: number }[] {
  return head.parts.parts.map((part, at) => ({ part, at })).filter(({ part }) => part.low !== null).slice(0, most);
}

export function partsWords({ head }: Pick<Scene, "head">): string {
  return head.parts.by === "groups" ? "groups" : "suggested clusters";
}

export const CLUSTERS = "0: the same lists, 1: nothing shared. Clusters are a proposal: k-means on all models' vectors, named by their words.";
const ORDER = "Disagreement of the queries of each, 95 % interval, ordered by its lower end: the largest of many is luck.";

/** A line for each part: its name, how many queries, their disagreement with its interval. */
export function partsTable(scene: Scene, store: Store, most: number): HTMLElement {
  const { by } = scene.head.parts;
  const rows = surest(scene, most).map(({ part }) => {
    const [kind, value] = partFilter(scene, part.name);
    const chosen = () => store.state.filters[kind] === value;
    const toggle = () => store.set({ filters: filtered(store.state.filters, kind, chosen() ? null : value) });
    const name = h("button", { type: "button", class: "link", title: `only ${part.name}`, "aria-pressed": String(chosen()), click: toggle }, part.name);
    store.subscribe((_, changed) => changed.has("filters") && name.setAttribute("aria-pressed", String(chosen())));
    const words = `${part.name}: disagreement ${part.value?.toFixed(2)}, 95 % ${part.low?.toFixed(2)} to ${part.high?.toFixed(2)}, ${part.queries} queries of ${part.rows} rows`;
    return h(
      "tr",
      {},
      h("th", { scope: "row", dir: "auto" }, name, h("small", {}, ` n ${part.queries.toLocaleString("en")}`)),
      h("td", { class: "dots" }, rail([{ look: "amount", words, ...part }], null, words)),
      h("td", { class: "value", title: words }, part.value?.toFixed(2) ?? "n/a"),
    );
  });
  return h("table", { class: "dotted parts", title: by === "clusters" ? `${ORDER} ${CLUSTERS}` : ORDER }, h("tbody", {}, ...rows));
}
