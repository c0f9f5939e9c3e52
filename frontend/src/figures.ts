// Figures beside agreement itself: what the index changed, which groups find which, what a cut-off becomes.

import { amount, inkOn } from "./colours.js";
import { decimal } from "./charts.js";
import { h } from "./dom.js";
import type { Header, Score } from "./payload.js";
import { figure } from "./picture.js";

const MOST_PAIRS = 12;

interface Loss {
  words: string;
  searched: Score;
  exact: Score;
}

/** Pairs of collections by what differs as searched and what differs among exact neighbours, the largest gap first. */
export function losses(head: Header): Loss[] {
  const key = ({ models, query_model, measure }: Score) => JSON.stringify([models, query_model, measure.split("@")[1]]);
  const exact = new Map(head.scores.filter((score) => score.measure.startsWith("exact_overlap@")).map((score) => [key(score), score]));
  const found: Loss[] = [];
  for (const searched of head.scores) {
    const there = searched.measure.startsWith("overlap@") ? exact.get(key(searched)) : undefined;
    if (!there || searched.value === null || there.value === null) continue;
    const asked = searched.query_model ? `, asked with ${searched.query_model}` : "";
    found.push({ words: `${searched.models.join(" and ")}${asked}`, searched, exact: there });
  }
  const gap = ({ searched, exact: there }: Loss) => Math.abs((searched.value as number) - (there.value as number));
  return found.sort((a, b) => gap(b) - gap(a));
}

export function indexFigure(head: Header): HTMLElement[] {
  const recalls = head.scores.filter((score) => score.measure.startsWith("index_recall@") && score.value !== null);
  if (!recalls.length) return [];
  const lowest = Math.min(...recalls.map((score) => score.value as number));
  const title = "The index or the model?";
  if (lowest === 1)
    return [figure(title, "The search returned every exact neighbour, so the index changed nothing: every difference on this page is between models.")];
  const shown = losses(head);
  const rows = [
    ...shown.slice(0, MOST_PAIRS).flatMap(({ words, searched, exact }) => [
      bar(words, "differ as searched", 1 - (searched.value as number), searched),
      bar("", "differ among exact neighbours", 1 - (exact.value as number), exact),
    ]),
    ...recalls.map((score) => bar(`${score.models[0]}${score.query_model && score.query_model !== score.models[0] ? `, asked with ${score.query_model}` : ""}`, "lost by the index", 1 - (score.value as number), score)),
  ];
  const hidden = shown.length - MOST_PAIRS;
  return [
    figure(
      title,
      "The second bar of a pair is what the models alone change; what the first has more (or less) than that is the index, and the last bars say how much of the exact answer it lost for each model." +
        (hidden > 0 ? ` ${hidden} more pairs, where the index changed less, are in the tables below.` : ""),
      table("What differs by the index and what by the models", ["", "share of the neighbours", ""], rows),
    ),
  ];
}

function bar(name: string, what: string, share: number, score: Score): HTMLElement {
  const filled = h("div", { class: "bar-fill" });
  filled.style.width = `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  const ends = score.low === null || score.high === null ? "" : ` [${decimal(1 - score.high)}, ${decimal(1 - score.low)}]`;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, name ? h("span", {}, name) : "", h("small", {}, ` ${what}`)),
    h("td", { class: "bar-cell" }, filled),
    h("td", {}, decimal(share), h("small", {}, ends)),
  );
}

export function mixingFigures(head: Header): HTMLElement[] {
  if (!head.mixing) return [];
  const { k, models, more } = head.mixing;
  return [
    figure(
      "Which groups find which.",
      `A row of a table says to which groups the ${k} nearest rows of that group's rows belong, as shares; in brackets what chance alone would give. A group far above its bracket keeps to itself, one far below turns up too rarely.` +
        (more > 0 ? ` ${more} more models are in the tables below.` : ""),
      h(
        "div",
        { class: "side" },
        ...models.map(({ model, groups, share, chance }) =>
          h(
            "div",
            {},
            h("h3", {}, model),
            heat(`Groups in ${model}`, groups, share, (value, row, column) => [decimal(value), `(${decimal(chance[row][column])})`]),
          ),
        ),
      ),
    ),
  ];
}

function heat(
  label: string,
  names: string[],
  values: (number | null)[][],
  words: (value: number | null, row: number, column: number) => [string, string],
): HTMLElement {
  const most = Math.max(...values.flat().map((value) => value ?? 0)) || 1; // shares among many groups are small
  const rows = values.map((line, row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, names[row]),
      ...line.map((value, column) => {
        const [large, small] = words(value, row, column);
        const cell = h("td", {}, large, h("small", {}, small));
        if (value !== null) [cell.style.backgroundColor, cell.style.color] = [amount(value / most), inkOn(value / most)];
        return cell;
      }),
    ),
  );
  return table(label, ["from ↓ to →", ...names], rows, "heat");
}

export function cutoffFigure(head: Header): HTMLElement[] {
  if (!head.cutoffs) return [];
  const { from, to, more, queries, pairs, rows, remarks } = head.cutoffs;
  const drawn = rows.map(({ at, rate, cells }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, decimal(at)),
      h("td", {}, `${Number((100 * rate).toPrecision(3))} %`),
      ...cells.map(({ value, low, high }) =>
        h("td", {}, decimal(value, 3), value === null ? "" : h("small", {}, ` [${decimal(low, 3)}, ${decimal(high, 3)}]`)),
      ),
    ),
  );
  return [
    figure(
      "What a cut-off becomes in another model.",
      `Whoever shows only what is above a cosine of ${from} must move that cut-off with the model: a row gives a cut-off of ${from}, the share of pairs that pass it, and the cut-off that lets the same share pass in each other model, with its 95 % interval (${queries.toLocaleString("en")} queries, ${pairs.toLocaleString("en")} pairs).`,
      table("Cut-offs carried over", [from, "pairs that pass", ...to], drawn),
      ...remarks.map((remark) => h("p", { class: "small" }, remark)),
      h(
        "p",
        { class: "small" },
        `Any other cut-off, precision and recall: embdiff thresholds RUN.${more > 0 ? ` ${more} more models can be had there.` : ""}`,
      ),
    ),
  ];
}

function table(label: string, head: string[], rows: HTMLElement[], kind = "plain"): HTMLElement {
  const names = h("tr", {}, ...head.map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", { class: kind }, h("thead", {}, names), h("tbody", {}, ...rows)),
  );
}
