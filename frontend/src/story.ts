// The report from top to bottom: what was compared, what was found, where, and every number.

import { answer } from "./answer.js";
import { alike, queryModels } from "./compare.js";
import { costs, curves, heatmaps } from "./charts.js";
import { diffView } from "./diffview.js";
import { figure, h } from "./dom.js";
import { cutoffFigure, indexFigure, mixingFigures } from "./figures.js";
import { histogram } from "./histogram.js";
import { listView } from "./listview.js";
import { mapsView } from "./maps.js";
import { queryCard } from "./querycard.js";
import { queryCount, type Header, type Scene, type TextTable } from "./payload.js";
import { Store } from "./state.js";

export function newStore(scene: Scene): Store {
  const asking = queryModels(scene);
  let query: number | null = queryCount(scene) ? 0 : null;
  scene.disagreement.forEach((value, at) => {
    if (query !== null && value > (Number.isNaN(scene.disagreement[query]) ? -1 : scene.disagreement[query])) query = at;
  });
  return new Store({
    query,
    hovered: null,
    filter: null,
    filterWords: "",
    colour: scene.head.items.groups ? "group" : "disagreement",
    queryModel: asking[0] ?? null,
    reference: 0,
    nearest: null,
  });
}

export function report(scene: Scene, store: Store): HTMLElement[] {
  const { head } = scene;
  return [
    h("header", {}, h("p", { class: "lead" }, head.facts)),
    answer(head, queryCard(scene, store)),
    ...explorer(scene, store),
    section("How much the models agree", ...heatmaps(head), ...curves(head), ...indexFigure(head), ...mixingFigures(head)),
    ...wrapped("What a change of model asks for", [...cutoffFigure(head), ...costs(head)]),
    section("Every number", ...head.tables.map((table) => textTable(table, head.tables.filter(({ title }) => title === table.title).length > 1))),
    section("How to take these numbers", ...head.notes.map((note) => h("p", {}, note)), provenance(head)),
  ];
}

/** The linked part: maps, list, histogram and diff. It is also the notebook widget. */
export function explorer(scene: Scene, store: Store): HTMLElement[] {
  const maps = scene.maps.length
    ? [
        figure("Linked maps, one per model.", scene.head.maps_words, mapsView(scene, store)),
      ]
    : [h("p", { class: "empty" }, scene.head.maps_words)];
  return [
    section(
      "Where they differ",
      ...maps,
      h(
        "div",
        { class: alike(scene, store.state.queryModel).length > 2 ? "two many" : "two" },
        h(
          "div",
          {},
          figure(
            "Queries by disagreement.",
            `${scene.head.disagreement_words} Click a bar to list only its queries, a query to see its neighbours.`,
            histogram(scene, store),
            listView(scene, store),
          ),
        ),
        figure(
          "One query, model by model.",
          "Each column is what one model returned, closest first; a line joins the places of one row, so crossing lines are changes of rank.",
          diffView(scene, store),
        ),
      ),
    ),
  ];
}

function wrapped(title: string, figures: HTMLElement[]): HTMLElement[] {
  return figures.length ? [section(title, ...figures)] : [];
}

function section(title: string, ...content: Node[]): HTMLElement {
  return h("section", { class: "chapter" }, h("h2", {}, title), ...content);
}

function provenance(head: Header): HTMLElement {
  const list = h("dl", { class: "facts" });
  for (const [name, value] of head.provenance) list.append(h("dt", {}, name), h("dd", {}, value));
  return h("details", {}, h("summary", {}, "Where the vectors came from, versions, sizes"), list);
}

/** A table to open; where several have one title, their columns tell them apart. */
function textTable(table: TextTable, shared: boolean): HTMLElement {
  const title = shared ? `${table.title}: ${table.head.slice(1).join(", ")}` : table.title;
  const drawn = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...table.head.map((cell) => h("th", { scope: "col" }, cell)))),
    h("tbody", {}, ...table.rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))))),
  );
  return h(
    "details",
    { class: "numbers" },
    h("summary", {}, title),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, drawn),
    ...table.remarks.map((remark) => h("p", { class: "small" }, remark)),
  );
}
