// Every number of the run in one table to search: which measure, of what, how sure, and what the measure says.

import { folded, h } from "./dom.js";
import { decimal } from "./charts.js";
import type { Header, TextTable } from "./payload.js";

const SHOWN = 200;

export interface NumberRow {
  measure: string;
  of: string;
  value: string;
  chance: string;
  n: string;
  /** between which values it lies */
  unit: string;
  /** what the measure says, or why there is no value */
  about: string;
}

/** A row for each number that a measure gave. */
export function numberRows(head: Pick<Header, "scores" | "measures">): NumberRow[] {
  return head.scores.map((score) => {
    const asked = score.query_model ? `, asked with ${score.query_model}` : "";
    const within = score.low === null || score.high === null ? "" : ` [${decimal(score.low, 3)}, ${decimal(score.high, 3)}]`;
    return {
      measure: score.measure,
      of: `${score.models.join(" | ")}${asked}`,
      value: `${decimal(score.value, 3)}${within}`,
      chance: score.chance === null ? "" : decimal(score.chance, 3),
      n: score.n.toLocaleString("en"),
      unit: head.measures[score.measure]?.unit ?? "",
      about: score.reason ?? head.measures[score.measure]?.about ?? "",
    };
  });
}

export function everyNumber(head: Header): HTMLElement {
  const rows = numberRows(head);
  const search = h("input", { type: "search", placeholder: "measure, model, group…", "aria-label": "Search every number" });
  const count = h("span", { class: "small", role: "status" });
  const body = h("tbody");
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((row) => [Object.values(row).join(" ").toLowerCase()].every((text) => words.every((word) => text.includes(word))));
    count.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} numbers${found.length > SHOWN ? `, the first ${SHOWN} shown` : ""}`;
    body.replaceChildren(
      ...found.slice(0, SHOWN).map((row) => h("tr", {}, h("th", { scope: "row" }, row.measure), ...[row.of, row.value, row.chance, row.n, row.unit, row.about].map((cell) => h("td", { dir: "auto" }, cell)))),
    );
  };
  search.addEventListener("input", draw);
  draw();
  const names = ["measure", "of", "value [95 % interval]", "chance", "n", "from, to", "what it says"];
  const drawn = h("table", { class: "numbers" }, h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))), body);
  return folded(
    "Every number",
    h("div", { class: "controls" }, search, count),
    h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Every number" }, drawn),
  );
}

/** The tables of the summary, each to open: geometry, groups, timings; where several have one title, their columns tell them apart. */
export function tables({ tables: all }: Header): HTMLElement {
  const shared = (title: string) => all.filter((table) => table.title === title).length > 1;
  return folded("Geometry, groups, index and timings, table by table", ...all.map((table) => textTable(table, shared(table.title))));
}

export function textTable(table: TextTable, shared: boolean): HTMLElement {
  const title = shared ? `${table.title}: ${table.head.slice(1).join(", ")}` : table.title;
  const drawn = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...table.head.map((cell) => h("th", { scope: "col" }, cell)))),
    h("tbody", {}, ...table.rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", { dir: "auto" }, cell))))),
  );
  const remarks = table.remarks.map((remark) => h("p", { class: "small" }, remark));
  return folded(title, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, drawn), ...remarks);
}
