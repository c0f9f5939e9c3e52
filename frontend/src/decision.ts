// The decision: its sentence, each reason with a link to what it rests on, the rules, what gets worse, what to do.

import { coloured } from "./answer.js";
import { decimal as rounded } from "./charts.js";
import { h } from "./dom.js";
import type { Decision, Header, Mapped, Ruling } from "./payload.js";

/** What a part of the page is called that a reason may name as its evidence. */
export const evidence = (name: string) => `evidence-${name}`;

const OUTCOMES = { fail: "broken", inconclusive: "not told", pass: "kept" } as const;
const decimal = (value: number | null, digits = 3) => rounded(value, digits);

/** The section; `there` says which evidence the page has besides what stands in here. */
export function decision(head: Header, there: (name: string) => boolean): HTMLElement | null {
  const found = head.decision;
  if (!found) return null;
  const mapped = found.changes.flatMap((each) => each.mapped ?? []);
  const here = { rulings: true, mapped: mapped.length > 0, changed: found.changes.some((each) => each.worst.length) };
  const known = (name: string) => there(name) || (here[name as keyof typeof here] ?? false);
  const reasons = found.reasons.flatMap(({ sentence, evidence: name }) => [...linked(head, sentence, known(name) ? name : null), " "]);
  return h(
    "section",
    { class: "decision", "aria-label": "The decision" },
    h("h2", { dir: "auto" }, ...linked(head, found.sentence, "rulings")),
    h("p", { class: "reasons" }, ...reasons),
    ...(found.actions.length ? [h("ul", { class: "actions" }, ...found.actions.map(({ sentence, command }) => h("li", {}, ...coloured(head, sentence), command ? " " : null, command ? h("code", {}, command) : null)))] : []),
    rulings(head, found),
    ...changes(head, found),
    ...mapped.map((each) => kept(head, each)),
  );
}

/** A sentence, and behind it the way to what it rests on. */
function linked(head: Header, sentence: string, name: string | null): (Node | string)[] {
  const words = coloured(head, sentence);
  if (name === null) return words;
  const link = h("a", { href: `#${evidence(name)}`, class: "to-evidence", title: "What this rests on", "aria-label": `What this rests on: ${sentence}`, click: (event: Event) => go(event, link, name) }, "↓");
  return [...words, " ", link];
}

/** Open what is folded around the evidence, and go there; the address after "#" tells of other things. */
function go(event: Event, link: HTMLElement, name: string): void {
  event.preventDefault();
  const target = link.closest(".embdiff-view")?.querySelector<HTMLElement>(`#${evidence(name)}`);
  if (!target) return;
  for (let around: Element | null = target; around; around = around.parentElement) if (around instanceof HTMLDetailsElement) around.open = true;
  target.tabIndex = -1;
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "start" });
}

function rulings(head: Header, found: Decision): HTMLElement {
  const order = Object.keys(OUTCOMES);
  const rows = [...found.rulings].sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
  const what = found.basis === "agreement" ? "Two models are the same where none is broken" : "A model is out where one is broken";
  const error = Number((100 * found.error).toPrecision(2));
  return h(
    "details",
    { class: "fold", id: evidence("rulings"), open: rows.length <= 3 },
    h("summary", {}, `The rules, read off paired intervals. ${what}; the chance that any is called wrong is at most ${error} %`),
    ruled(head, rows, "The rules"),
  );
}

function ruled(head: Header, rows: Ruling[], label: string): HTMLElement {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, h("table", {}, h("thead", {}, h("tr", {}, ...["outcome", "broken if", "models", "found", "interval", "n", "what would tell"].map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, ...rows.map((each) => row(head, each)))));
}

/** Whether the old vectors can be kept: the rules, held to what is found among them once they are mapped. */
function kept(head: Header, found: Mapped): HTMLElement {
  const [value, low, high] = [found.shared, found.low, found.high].map((each) => rounded(each === null ? null : found.k * each, 1));
  const led = `A linear map from the space of ${found.models[0]} into that of ${found.models[1]}, fitted on ${found.fitted.toLocaleString("en")} rows; each of these was led over by a map that did not see it.`;
  const how = found.fitted ? led : "The old vectors are asked as they are, without a map.";
  return h(
    "details",
    { class: "fold", id: evidence("mapped") },
    h("summary", {}, "Old vectors against encoding again"),
    h("p", {}, ...coloured(head, `${how} Queries of ${found.models[1]} find among the old rows ${value} of the ${found.k} neighbours that they find among rows made anew (95 % ${low} to ${high}). The old vectors can be kept where no rule is broken; this is decided by itself, with the error of the table.`)),
    ruled(head, found.rulings, "The rules for mapped vectors"),
  );
}

function row(head: Header, each: Ruling): HTMLElement {
  const more = each.outcome !== "inconclusive" ? "" : each.expected === null ? "no number of queries" : `about ${(each.expected - each.n).toLocaleString("en")} more queries`;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, OUTCOMES[each.outcome]),
    h("td", {}, each.rule),
    h("td", {}, ...coloured(head, each.models.join(" against "))),
    h("td", { class: "value" }, decimal(each.value)),
    h("td", { class: "value" }, `${Number((100 * each.level).toPrecision(4))} %: ${decimal(each.low)} to ${decimal(each.high)}`),
    h("td", {}, each.n.toLocaleString("en")),
    h("td", {}, more),
  );
}

function changes(head: Header, found: Decision): HTMLElement[] {
  const shown = found.changes.filter((each) => each.worst.length);
  if (!shown.length) return [];
  const tables = shown.map((each) =>
    h(
      "table",
      {},
      h("caption", {}, ...coloured(head, `${each.models[0]} to ${each.models[1]}: of ${each.n.toLocaleString("en")} queries ${each.first.toLocaleString("en")} have another first result, ${each.any.toLocaleString("en")} others among the first ${each.k}`)),
      h("thead", {}, h("tr", {}, ...["query", "text", `${each.by} before`, "after"].map((name, at) => h("th", { scope: "col", class: at > 1 ? "value" : null }, name)))),
      h("tbody", {}, ...each.worst.map((one) => h("tr", {}, h("th", { scope: "row" }, one.id), h("td", { dir: "auto" }, one.text), h("td", { class: "value" }, decimal(one.before, 2)), h("td", { class: "value" }, decimal(one.after, 2))))),
    ),
  );
  return [h("details", { class: "fold", id: evidence("changed"), open: shown.length === 1 }, h("summary", {}, found.basis === "agreement" ? "What changes most for users" : "What gets worse for users"), ...tables)];
}
