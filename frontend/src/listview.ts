// Queries by disagreement: searchable, sortable, filtered by the histogram and by the lasso.

import { h } from "./dom.js";
import { queryCount, queryId, queryText, type Scene } from "./payload.js";
import type { Store } from "./state.js";

export type SortKey = "disagreement" | "id" | "text";
const PAGE = 25;

/** The queries to list, in order. Undefined disagreement (NaN) comes last either way. */
export function listed(
  scene: Scene,
  words: string,
  filter: ReadonlySet<number> | null,
  key: SortKey,
  descending: boolean,
): number[] {
  const wanted = words.trim().toLowerCase();
  const found: number[] = [];
  for (let query = 0; query < queryCount(scene); query++) {
    if (filter && !filter.has(query)) continue;
    if (wanted && !`${queryId(scene, query)} ${queryText(scene, query)}`.toLowerCase().includes(wanted)) continue;
    found.push(query);
  }
  const sign = descending ? -1 : 1;
  const text = key === "id" ? queryId : queryText;
  return found.sort((a, b) => {
    if (key === "disagreement") {
      const [x, y] = [scene.disagreement[a], scene.disagreement[b]];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
      return sign * (x - y) || a - b;
    }
    const [x, y] = [text(scene, a), text(scene, b)];
    return x === y ? a - b : sign * (x < y ? -1 : 1);
  });
}

export function listView(scene: Scene, store: Store): HTMLElement {
  let [words, key, descending, page] = ["", "disagreement" as SortKey, true, 0];
  const search = h("input", { type: "search", placeholder: "search id and text", "aria-label": "Search queries" });
  const count = h("span", { class: "count", role: "status" });
  const clear = h("button", { type: "button", class: "quiet", click: () => store.set({ filter: null, filterWords: "" }) }, "show all");
  const body = h("tbody");
  const head = h("tr");
  const pager = h("div", { class: "controls" });
  const sortable: [SortKey, string][] = [["disagreement", "disagreement"], ["id", "query"], ["text", "text"]];

  const draw = () => {
    const { filter, filterWords, query: chosen } = store.state;
    const found = listed(scene, words, filter, key, descending);
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    count.textContent = `${found.length.toLocaleString("en")} of ${queryCount(scene).toLocaleString("en")} queries${filterWords ? `, ${filterWords}` : ""}`;
    clear.hidden = filter === null;
    head.replaceChildren(...sortable.map(([name, label]) => headCell(name, label)));
    body.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map((query) => row(query, query === chosen)));
    if (!found.length) body.append(h("tr", {}, h("td", { colspan: 3, class: "empty" }, "No query fits.")));
    pager.replaceChildren(
      turn("previous", page > 0, -1),
      h("span", {}, ` page ${page + 1} of ${pages.toLocaleString("en")} `),
      turn("next", page + 1 < pages, 1),
    );
  };
  const turn = (label: string, possible: boolean, step: number) =>
    h("button", { type: "button", class: "quiet", disabled: !possible, click: () => ((page += step), draw()) }, label);
  const headCell = (name: SortKey, label: string) => {
    const sorted = name === key ? (descending ? "descending" : "ascending") : "none";
    const sort = () => {
      descending = name === key ? !descending : name === "disagreement";
      [key, page] = [name, 0];
      draw();
      head.querySelector<HTMLElement>(`[data-key=${name}]`)?.focus();
    };
    const arrow = sorted === "none" ? "" : descending ? " ▾" : " ▴";
    return h("th", { "aria-sort": sorted, scope: "col" }, h("button", { type: "button", "data-key": name, click: sort }, label + arrow));
  };
  const row = (query: number, chosen: boolean) => {
    const value = scene.disagreement[query];
    const over = () => store.set({ hovered: scene.queryRow ? scene.queryRow[query] : null });
    return h(
      "tr",
      { class: chosen ? "chosen" : "", "data-query": query, pointerenter: over },
      h("td", { class: "number" }, Number.isNaN(value) ? "n/a" : value.toFixed(2)),
      h("td", {}, h("button", { type: "button", class: "link", focus: over, click: () => store.set({ query }) }, queryId(scene, query))),
      h("td", { class: "text" }, queryText(scene, query)),
    );
  };
  search.addEventListener("input", () => ([words, page] = [search.value, 0]) && draw());
  store.subscribe((_, changed) => {
    if (changed.has("filter")) page = 0;
    if (changed.has("filter") || changed.has("query")) draw();
  });
  draw();
  return h(
    "section",
    { class: "list", "aria-label": "Queries" },
    h("div", { class: "controls" }, search, count, clear),
    h("div", { class: "query-rows" }, h("table", { class: "queries" }, h("thead", {}, head), body)),
    pager,
  );
}
