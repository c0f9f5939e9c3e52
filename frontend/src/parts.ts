// The groups of the corpus, or its suggested clusters, by the neighbours that models share on them; a click leaves only one.

import { decimal } from "./charts.js";
import { modelClass } from "./colours.js";
import { breakable, h } from "./dom.js";
import { filtered, type Kind } from "./filters.js";
import type { Scene, Shared } from "./payload.js";
import { rail } from "./rail.js";
import type { Store } from "./state.js";

/** The filter that leaves one part only. */
export function partFilter({ head }: Pick<Scene, "head">, name: string): readonly [Kind, string] {
  return [head.parts.by === "groups" ? "group" : "part", name];
}

/** The parts on which two models share fewest, the first so many, with their places; of each the pair that it is surest of. */
export function surest({ head }: Pick<Scene, "head">, most: number): (Shared & { name: string; at: number })[] {
  const found = new Map<string, Shared & { name: string; at: number }>();
  for (const each of head.headline.by_part) {
    const name = each.part ?? "";
    const at = found.has(name) ? -1 : head.parts.names.indexOf(name);
    if (at >= 0) found.set(name, { ...each, name, at });
    if (found.size === most) break;
  }
  return [...found.values()];
}

export function partsWords({ head }: Pick<Scene, "head">): string {
  return head.parts.by === "groups" ? "groups" : "suggested clusters";
}

export const CLUSTERS = "Clusters are a proposal: k-means on all models' vectors, named by their words.";
const ORDER = "Neighbours in common of the queries of each, 95 % interval, ordered by its upper end: the lowest of many is luck.";

/** Which two models, by their colours: their names have no room beside those of clusters. */
function pairMark({ head }: Scene, models: readonly string[]): HTMLElement {
  return h("span", { class: "pair-mark", role: "img", title: models.join(" and "), "aria-label": models.join(" and ") }, ...models.map((model) => h("i", { class: modelClass(head, model) })));
}

/** The name of a part: a click leaves only that, another one all again. */
export function onlyButton(scene: Scene, store: Store, name: string): HTMLElement {
  const [kind, wanted] = partFilter(scene, name);
  const chosen = () => store.state.filters[kind] === wanted;
  const toggle = () => store.set({ filters: filtered(store.state.filters, kind, chosen() ? null : wanted) });
  const button = h("button", { type: "button", class: "link", title: `only ${name}`, "aria-pressed": String(chosen()), click: toggle }, ...breakable(name));
  store.subscribe((_, changed) => changed.has("filters") && button.setAttribute("aria-pressed", String(chosen())));
  return button;
}

/** A line for each part: its name, how many queries, how many neighbours two models share there, with the interval. */
export function partsTable(scene: Scene, store: Store, most: number): HTMLElement {
  const several = scene.head.headline.agreement.length > 1;
  const rows = surest(scene, most).map(({ name, models, of, value, low, high, chance, n }) => {
    const words = `${name}: ${models.join(" and ")} share ${decimal(value)} of ${of}, 95 % ${decimal(low)} to ${decimal(high)}, n = ${n.toLocaleString("en")} queries`;
    const share = (amount: number | null) => (amount === null ? null : amount / of);
    return h(
      "tr",
      {},
      h("th", { scope: "row", dir: "auto" }, onlyButton(scene, store, name), h("small", {}, ` n ${n.toLocaleString("en")} `, several && pairMark(scene, models))),
      h("td", { class: "dots" }, rail([{ look: "amount", words, value: share(value), low: share(low), high: share(high) }], share(chance), words)),
      h("td", { class: "value", title: words }, decimal(value, 1)),
    );
  });
  return h("table", { class: "dotted parts", title: scene.head.parts.by === "clusters" ? `${ORDER} ${CLUSTERS}` : ORDER }, h("tbody", {}, ...rows));
}
