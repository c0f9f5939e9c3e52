// Queries and corpus rows by disagreement: searchable, sortable, filtered by the histogram and by the lasso.

import { h } from "./dom.js";
import { queryCount, queryId, queryText, type Scene } from "./payload.js";
import type { Store } from "./state.js";

export type SortKey = "disagreement" | "id" | "text";
const PAGE = 25;

/** What is listed: queries, or the rows that they return. */
export interface Listing {
  name: "queries" | "rows";
  one: string;
  count: number;
  values: Float32Array;
  digits: number;
  id(at: number): string;
  text(at: number): string;
}

export function queryListing(scene: Scene): Listing {
  const [id, text] = [(at: number) => queryId(scene, at), (at: number) => queryText(scene, at)];
  return { name: "queries", one: "query", count: queryCount(scene), values: scene.disagreement, digits: 2, id, text };
}

export function rowListing(scene: Scene): Listing {
  const { ids, texts } = scene.head.items;
  const [id, text] = [(at: number) => ids[at], (at: number) => texts[at]];
  return { name: "rows", one: "row", count: ids.length, values: scene.rowDisagreement, digits: 3, id, text };
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
  for (const answer of scene.answers)
    answer.rows.forEach((each, at) => each === row && found.add(Math.floor(at / answer.width)));
  return found;
}

/** What to list, in order. Undefined disagreement (NaN) comes last either way. */
export function listed(
  listing: Listing,
  words: string,
  filter: ReadonlySet<number> | null,
  key: SortKey,
  descending: boolean,
): number[] {
  const wanted = words.trim().toLowerCase();
  const found: number[] = [];
  for (let at = 0; at < listing.count; at++) {
    if (filter && !filter.has(at)) continue;
    if (wanted && !`${listing.id(at)} ${listing.text(at)}`.toLowerCase().includes(wanted)) continue;
    found.push(at);
  }
  const sign = descending ? -1 : 1;
  return found.sort((a, b) => {
    if (key === "disagreement") {
      const [x, y] = [listing.values[a], listing.values[b]];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
      return sign * (x - y) || a - b;
    }
    const [x, y] = key === "id" ? [listing.id(a), listing.id(b)] : [listing.text(a), listing.text(b)];
    return x === y ? a - b : sign * (x < y ? -1 : 1);
  });
}

export function listView(scene: Scene, store: Store): HTMLElement {
  let [words, key, descending, page] = ["", "disagreement" as SortKey, true, 0];
  const listings = [queryListing(scene), rowListing(scene)];
  let listing = listings[0];
  const search = h("input", { type: "search", placeholder: "search id and text", "aria-label": "Search the list" });
  const count = h("span", { class: "count", role: "status" });
  const clear = h("button", { type: "button", class: "quiet", click: () => store.set({ filter: null, filterWords: "" }) }, "show all");
  const body = h("tbody");
  const head = h("tr");
  const pager = h("div", { class: "controls" });
  const what = h("div", { class: "controls", role: "group", "aria-label": "What is listed" });
  const reading = h("p", { class: "small" });

  const draw = () => {
    const { filter, filterWords, query: chosen } = store.state;
    const within = filter && listing.name === "rows" ? returnedTo(scene, filter) : filter;
    const found = listed(listing, words, within, key, descending);
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    const limit = filterWords ? (listing.name === "rows" ? `, returned to queries: ${filterWords}` : `, ${filterWords}`) : "";
    count.textContent = `${found.length.toLocaleString("en")} of ${listing.count.toLocaleString("en")} ${listing.name}${limit}`;
    clear.hidden = filter === null;
    what.replaceChildren(...listings.map(choice));
    reading.textContent = listing.name === "rows" ? scene.head.row_disagreement_words : "";
    reading.hidden = listing.name === "queries"; // the histogram beside the list says it of queries
    const sortable: [SortKey, string][] = [["disagreement", "disagreement"], ["id", listing.one], ["text", "text"]];
    head.replaceChildren(...sortable.map(([name, label]) => headCell(name, label)));
    const part = found.slice(page * PAGE, (page + 1) * PAGE);
    body.replaceChildren(...part.map(listing.name === "rows" ? corpusRow : (query) => row(query, query === chosen)));
    if (!found.length) body.append(h("tr", {}, h("td", { colspan: 3, class: "empty" }, `No ${listing.one} fits.`)));
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
  const choice = (each: Listing) => {
    const choose = () => {
      [listing, page] = [each, 0];
      draw();
      what.querySelector<HTMLElement>(`[data-list=${each.name}]`)?.focus();
    };
    const pressed = each === listing ? "true" : "false";
    return h("button", { type: "button", class: "quiet", "data-list": each.name, "aria-pressed": pressed, click: choose }, each.name);
  };
  const cells = (at: number, name: Node) => [
    h("td", { class: "number" }, Number.isNaN(listing.values[at]) ? "n/a" : listing.values[at].toFixed(listing.digits)),
    h("td", {}, name),
    h("td", { class: "text" }, listing.text(at)),
  ];
  const corpusRow = (at: number) => {
    const over = () => store.set({ hovered: at });
    const ask = () => {
      [listing, page, words] = [listings[0], 0, ""];
      search.value = "";
      store.set({ filter: returning(scene, at), filterWords: `to which a model returns ${scene.head.items.ids[at]}` });
      draw();
    };
    const label = "list the queries to which a model returns this row";
    const name = h("button", { type: "button", class: "link", title: label, focus: over, click: ask }, listing.id(at));
    return h("tr", { "data-row": at, pointerenter: over }, ...cells(at, name));
  };
  const row = (query: number, chosen: boolean) => {
    const over = () => store.set({ hovered: scene.queryRow ? scene.queryRow[query] : null });
    return h(
      "tr",
      { class: chosen ? "chosen" : "", "data-query": query, pointerenter: over },
      ...cells(query, h("button", { type: "button", class: "link", focus: over, click: () => store.set({ query }) }, listing.id(query))),
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
    { class: "list", "aria-label": "Queries and rows" },
    h("div", { class: "controls" }, what, search, count, clear),
    reading,
    h("div", { class: "query-rows" }, h("table", { class: "queries" }, h("thead", {}, head), body)),
    pager,
  );
}
