// The answer: one sentence in the models' colours, and a card for each question.

import { decimal } from "./charts.js";
import { modelClass, namesOf } from "./colours.js";
import { breakable, h } from "./dom.js";
import { together } from "./order.js";
import { CLUSTERS, onlyButton, partsTable, partsWords, surest } from "./parts.js";
import type { Header, Headline, Scene } from "./payload.js";
import { pictureButtons } from "./picture.js";
import { rail } from "./rail.js";
import type { Store } from "./state.js";

export function answer(scene: Scene, store: Store, query: HTMLElement | null): HTMLElement {
  const { head } = scene;
  const { headline } = head;
  const cards = [standings(head), where(scene, store) ?? disputed(scene, store), agreement(head)].filter((card): card is HTMLElement => card !== null);
  return h(
    "section",
    { class: "answer", "aria-label": "The answer", id: "evidence-answer" },
    h("h1", { dir: "auto" }, ...coloured(head, headline.sentence)),
    h("div", { class: "cards" }, ...cards),
    ...warnings(head),
    questions(head),
    query,
  );
}

/** Lists that cannot be taken as they are, above all that rests on them. */
function warnings(head: Header): HTMLElement[] {
  const [first, ...others] = head.warnings.map((words) => h("p", {}, ...coloured(head, words)));
  const more = others.length ? h("details", {}, h("summary", {}, `${others.length} more such`), ...others) : null;
  return first ? [h("div", { class: "warnings", role: "note" }, first, more)] : [];
}

const QUESTIONS = { proof: "Is it proven?", agreement: "Who agrees?", noise: "How much is noise?", where: "Where?", next: "What next?" } as const;

/** What stands beside the answer, each sentence with the question that it answers; what answers none is folded. */
function questions(head: Header): HTMLElement {
  const { remarks } = head.headline;
  const asked = Object.entries(QUESTIONS).map(([about, question]) => ({ question, said: remarks.filter((each) => each.about === about) }));
  const rows = asked.filter(({ said }) => said.length).flatMap(({ question, said }) => [h("dt", {}, question), h("dd", {}, ...coloured(head, said.map(({ words }) => words).join(" ")))]);
  const many = head.besides.length;
  const besides = many ? [h("dt", {}, "What else?"), h("dd", {}, h("details", {}, h("summary", {}, `${many} more remark${many > 1 ? "s" : ""}`), ...head.besides.map((words) => h("p", {}, ...coloured(head, words)))))] : [];
  return h("dl", { class: "questions" }, ...rows, ...besides);
}

/** Text in which every model's name has its colour; longer names first, so that `minilm-mood` is not `minilm` and a rest. */
export function coloured(head: Header, words: string): (Node | string)[] {
  const names = namesOf(head).sort((a, b) => b.length - a.length);
  const found: (Node | string)[] = [];
  let rest = unbroken(words);
  while (rest) {
    const places = names.map((name) => ({ name, at: whole(rest, name) })).filter(({ at }) => at >= 0);
    const next = places.reduce<{ name: string; at: number } | null>((first, each) => (!first || each.at < first.at ? each : first), null);
    if (!next) break;
    found.push(rest.slice(0, next.at), h("span", { class: modelClass(head, next.name) }, next.name));
    rest = rest.slice(next.at + next.name.length).replace(/^ (?=\d)/, "\u00a0"); // a model and its value stay together
  }
  return [...found, rest];
}

/** Where a name stands by itself in a text, -1 for nowhere. */
function whole(text: string, name: string): number {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const around = `${text[at - 1] ?? " "}${text[at + name.length] ?? " "}`;
    if (!/[\p{L}\p{N}_:-]/u.test(around.replace(/:$/, ""))) return at;
  }
  return -1;
}

/** A number and its "%" stay on one line. */
function unbroken(words: string): string {
  return words.replace(/(\d) %/g, "$1\u00a0%");
}

function card(title: string, ...content: (Node | string)[]): HTMLElement {
  const drawn = h("figure", { class: "card" }, h("figcaption", {}, h("strong", {}, unbroken(title))), ...content);
  drawn.append(pictureButtons(drawn, title));
  return drawn;
}
const inMeasure = (headline: Headline, value: number | null) =>
  value === null ? "n/a" : headline.basis === "groups" ? `${decimal(100 * value, 0)} %` : decimal(value, 3);
/** A difference of shares is in points: 74 % against 50 % is 24 points, and not 24 % more. */
const differenceInMeasure = (headline: Headline, value: number | null) =>
  value !== null && headline.basis === "groups" ? `${decimal(100 * value, 0)} points` : inMeasure(headline, value);

/** An interval in figures: in a narrow card its line is hardly wider than the dot. */
function within(headline: Headline, low: number | null, high: number | null): HTMLElement | string {
  if (low === null || high === null) return "";
  return h("small", {}, `[${headline.basis === "groups" ? `${decimal(100 * low, 0)}, ${decimal(100 * high, 0)}` : `${decimal(low)}, ${decimal(high)}`}]`);
}

/** Dots with intervals on a line from 0 to 1, chance as a dash. */
function standings(head: Header): HTMLElement | null {
  const { headline } = head;
  if (!headline.standings.length || headline.measure === null) return null;
  const chance = headline.standings[0].chance;
  const what = headline.basis === "groups" ? "Neighbours of the query's own group" : headline.measure;
  const rows = headline.standings.map((each) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: modelClass(head, each.model) }, ...breakable(each.model)),
      h("td", { class: "dots" }, dots([{ model: each.model, value: each.value, low: each.low, high: each.high }], head, chance)),
      h("td", { class: "value", title: `95 % interval ${inMeasure(headline, each.low)} to ${inMeasure(headline, each.high)}, n = ${each.n}` }, inMeasure(headline, each.value), " ", within(headline, each.low, each.high)),
    ),
  );
  const by = chance === null ? "" : `, chance ${inMeasure(headline, chance)} (dashed)`;
  const about = headline.basis === "groups" ? null : head.measures[headline.measure]?.about;
  return card(`${what}, 95 % interval${by}`, h("table", { class: "dotted standings" }, h("tbody", {}, ...rows)), about ? h("p", { class: "small" }, about) : "");
}

interface ModelDot {
  model: string;
  value: number | null;
  low?: number | null;
  high?: number | null;
}

function dots(values: ModelDot[], head: Header, chance: number | null): SVGSVGElement {
  const found = values.map((each) => ({ ...each, look: modelClass(head, each.model), words: `${each.model} ${decimal(each.value, 3)}` }));
  return rail(found, chance, values.map((each) => `${each.model} ${decimal(each.value)}`).join(", "));
}

const GROUPS_SHOWN = 5;

/** The groups in which two models differ most, each once, with the pair that it is surest of. */
function where(scene: Scene, store: Store): HTMLElement | null {
  const { head } = scene;
  const { headline } = head;
  const first = new Set<string>();
  const sure = headline.where.filter(({ group, low }) => (low ?? 0) > 0 && !first.has(group) && first.add(group)).slice(0, GROUPS_SHOWN);
  if (!sure.length) return null;
  const rows = sure.map((gap) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", dir: "auto" }, head.parts.by === "groups" ? onlyButton(scene, store, gap.group) : gap.group, h("small", {}, ` n ${gap.n.toLocaleString("en")}`)),
      h("td", { class: "dots" }, dots(gap.models.map((model, at) => ({ model, value: gap.values[at] })), head, null)),
      h("td", { class: "value", title: `95 % interval ${differenceInMeasure(headline, gap.low)} to ${differenceInMeasure(headline, gap.high)}` }, `+${differenceInMeasure(headline, gap.difference)}`),
    ),
  );
  const luck = sure.some((gap) => (gap.p_adjusted ?? 1) < 0.05) ? "" : "; of so many groups, it may be luck";
  return card(`Where two models differ most: groups by the surest gap${luck}`, h("table", { class: "dotted" }, h("tbody", {}, ...rows)));
}

/** Where the models disagree, which labels need not be there for: groups, or suggested clusters. */
function disputed(scene: Scene, store: Store): HTMLElement | null {
  if (!surest(scene, 1).length) return null;
  const [{ of }] = scene.head.headline.by_part;
  const proposal = scene.head.parts.by === "clusters" ? h("p", { class: "small" }, CLUSTERS) : "";
  return card(`Where they share fewest neighbours, of ${of}: ${partsWords(scene)}`, partsTable(scene, store, GROUPS_SHOWN - 1), proposal);
}

function agreement(head: Header): HTMLElement | null {
  const found = head.headline.agreement;
  if (!found.length) return null;
  const order = head.models.filter((name) => found.some((each) => each.models.includes(name)));
  const shared = (a: string, b: string) => found.find(({ models }) => models.includes(a) && models.includes(b));
  const names = together([...new Set([...order, ...found.flatMap((each) => each.models)])], (a, b) => shared(a, b)?.value ?? null);
  const mark = () => h("i", { class: "mark", "aria-hidden": "true" });
  // The first row has no numbers: there the columns are named, by the colours of their models.
  const columns = names.slice(0, -1).map((name) => h("th", { scope: "col", class: modelClass(head, name), title: name }, mark(), h("span", { class: "visually-hidden" }, name)));
  const rows = names.map((name, at) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: modelClass(head, name) }, mark(), " ", name),
      ...(at ? [] : columns),
      ...names.slice(0, at).map((other) => {
        const each = shared(name, other);
        if (!each || each.value === null) return h("td", {}, "n/a");
        const words = `${name} and ${other}: ${decimal(each.value)} of ${each.of}, 95 % ${decimal(each.low)} to ${decimal(each.high)}, chance ${decimal(each.chance)}, n = ${each.n}`;
        const cell = h("td", { title: words, class: "shade" }, decimal(each.value, 1));
        cell.style.setProperty("--share", `${Math.round((100 * each.value) / each.of)}%`);
        return cell;
      }),
    ),
  );
  const again = head.headline.noise === null ? "" : `; the same model again ${decimal(head.headline.noise, 1)}`;
  const { of, chance } = found[0];
  return card(
    `Neighbours in common, of ${of}`,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Neighbours in common" }, h("table", { class: names.length > 6 ? "triangle many" : "triangle" }, h("tbody", {}, ...rows))),
    h("p", { class: "small" }, `Chance ${decimal(chance, 1)}${again}. A query's own row does not count.`),
  );
}
