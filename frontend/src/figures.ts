// Figures beside agreement itself: what the index changed, which groups find which, what a cut-off becomes.

import { amount, inkOn, modelClass } from "./colours.js";
import { decimal } from "./charts.js";
import { cutoffSlider } from "./cutoffs.js";
import { breakable, h } from "./dom.js";
import type { Header, Mixing, Score } from "./payload.js";
import { figure } from "./picture.js";
import { rail } from "./rail.js";

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

export interface Dumbbell {
  model: string;
  asked: string;
  /** share of the exact neighbours that the collection returned */
  recall: Score;
  /** mean share of neighbours in common with the other models, among exact neighbours and as searched; null where no pair is known */
  agreement: { exact: number; searched: number } | null;
}

/** Of each collection what its index returned, and how that changed what it shares with the others. */
export function dumbbells(head: Pick<Header, "scores">): Dumbbell[] {
  const pairs = losses(head as Header);
  const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  return head.scores
    .filter((score) => score.measure.startsWith("index_recall@") && score.value !== null)
    .map((recall) => {
      const [model] = recall.models;
      const asked = recall.query_model && recall.query_model !== model ? `asked with ${recall.query_model}` : "";
      const mine = pairs.filter(({ searched }) => searched.models.includes(model) && (!searched.query_model || searched.query_model === recall.query_model));
      const agreement = mine.length ? { exact: mean(mine.map((each) => each.exact.value as number)), searched: mean(mine.map((each) => each.searched.value as number)) } : null;
      return { model, asked, recall, agreement };
    });
}

export function indexFigure(head: Header): HTMLElement[] {
  const found = dumbbells(head);
  if (!found.length) return [];
  const title = "The index or the model?";
  if (found.every(({ recall }) => recall.value === 1))
    return [figure(title, "The search returned every exact neighbour, so the index changed nothing: every difference on this page is between models.")];
  const end = (look: string, words: string, value: number, hollow: boolean) => ({ look: hollow ? `${look} hollow` : look, words: `${words} ${decimal(value)}`, value });
  const rows = found.map(({ model, asked, recall, agreement }) => {
    const look = modelClass(head, model);
    const value = recall.value as number;
    const said = `${decimal(value)} [${decimal(recall.low)}, ${decimal(recall.high)}]`;
    return h(
      "tr",
      { "data-model": model },
      h("th", { scope: "row", class: look }, ...breakable(model), asked && h("small", {}, asked)),
      h("td", { class: "dots" }, rail([end(look, "exact", 1, true), end(look, "collection", value, false)], null, `${model}: ${said} of the exact neighbours`, true)),
      h("td", { class: "value" }, said),
      h("td", { class: "dots" }, agreement && rail([end(look, "exact", agreement.exact, true), end(look, "collection", agreement.searched, false)], null, `${model}: in common with the others, exact ${decimal(agreement.exact)}, collection ${decimal(agreement.searched)}`, true)),
      h("td", { class: "value" }, agreement ? `${decimal(agreement.exact)} → ${decimal(agreement.searched)}` : ""),
    );
  });
  return [
    figure(
      title,
      "Each line is one collection: hollow is the exact answer of its model, filled what the index returned. The first line says how many of the exact neighbours came back, the second how many neighbours it shares with the other models: what lies between hollow and filled is the index and not the model.",
      table("What differs by the index and what by the models", ["", "exact neighbours returned", "0 to 1 [95 %]", "shared with the others", "exact → collection"], rows, "dotted dumbbells"),
    ),
  ];
}

const MOST_CELLS = 12; // groups whose matrix is read cell by cell; of more each group's share of its own is drawn

/** Of each group the models' shares of its own, the group that finds itself least first. */
export function ownShares({ own }: Pick<Mixing, "own">): { group: string; chance: number | null; shares: { model: string; value: number | null }[] }[] {
  const mean = (values: (number | null)[]) => values.filter((each) => each !== null).reduce((sum, each, _, known) => sum + each / known.length, 0);
  return own[0].groups
    .map((group, at) => ({ group, chance: own[0].chance[at], shares: own.map(({ model, share }) => ({ model, value: share[at] })) }))
    .sort((a, b) => mean(a.shares.map(({ value }) => value)) - mean(b.shares.map(({ value }) => value)) || (a.group < b.group ? -1 : 1));
}

function manyGroups(head: Header, mixing: Mixing): HTMLElement {
  const rows = ownShares(mixing).map(({ group, chance, shares }) => {
    const dots = shares.map(({ model, value }) => ({ look: modelClass(head, model), words: `${model} ${decimal(value)}`, value }));
    const words = shares.map(({ model, value }) => `${model} ${decimal(value)}`).join(", ");
    return h("tr", {}, h("th", { scope: "row", dir: "auto" }, group), h("td", { class: "dots" }, rail(dots, chance, `${group}: ${words}`)), h("td", { class: "value", title: words }, shares.map(({ value }) => decimal(value)).join(" ")));
  });
  return figure(
    "Which groups find which.",
    `Each line is a group, the one that finds itself least first: a dot is the share of the ${mixing.k} nearest rows of its rows that are of the same group, in a model's colour, in the order of the models at the end of the line; dashed is what chance alone would give. All shares between groups are in groups.json.`,
    h("div", { class: "legend" }, ...mixing.own.map(({ model }) => h("span", { class: modelClass(head, model) }, h("i", { class: `swatch model ${modelClass(head, model)}` }), ` ${model} `))),
    table("Share of a group's own", ["group", "0 to 1", mixing.own.map(({ model }) => model).join(", ")], rows, "dotted own-shares"),
  );
}

export function mixingFigures(head: Header): HTMLElement[] {
  if (!head.mixing) return [];
  const { k, models, more, own } = head.mixing;
  if (own[0].groups.length > MOST_CELLS) return [manyGroups(head, head.mixing)];
  return [
    figure(
      "Which groups find which.",
      `A row of a table says to which groups the ${k} nearest rows of that group's rows belong, as shares; in brackets what chance alone would give. A group far above its bracket keeps to itself, one far below turns up too rarely.` +
        (more > 0 ? ` ${more} more ${more === 1 ? "model is" : "models are"} in the tables below.` : ""),
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
      cutoffSlider(head, head.cutoffs),
      table("Cut-offs carried over", [from, "pairs that pass", ...to], drawn),
      ...remarks.map((remark) => h("p", { class: "small" }, remark)),
      h(
        "p",
        { class: "small" },
        `Any other cut-off, precision and recall: embdiff thresholds RUN.${more > 0 ? ` ${more} more ${more === 1 ? "model" : "models"} can be had there.` : ""}`,
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
