// The figures of the story: agreement between all models, curves over k.

import { amount, inkOn, modelClass } from "./colours.js";
import { h, s } from "./dom.js";
import { together } from "./order.js";
import type { Header, Score } from "./payload.js";
import { figure } from "./picture.js";

/** A number as the terminal prints it: of a value halfway between two the even one, where `toFixed` takes the larger. */
export function decimal(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined) return "n/a";
  const half = value.toFixed(digits + 30).endsWith(`5${"0".repeat(29)}`);
  const lower = value.toFixed(digits + 1).slice(0, digits ? -1 : -2);
  return half && Number(lower.at(-1)) % 2 === 0 ? lower : value.toFixed(digits);
}

export function heatmaps(head: Header): HTMLElement[] {
  const measure = head.scores.find((score) => /^overlap@/.test(score.measure))?.measure;
  if (!measure) return [];
  const scores = head.scores.filter((score) => score.measure === measure);
  const askers = [...new Set(scores.map((score) => score.query_model))];
  return askers.map((asker) =>
    figure(
      `Agreement of all models, ${measure}${asker ? `, asked with ${asker}` : ""}.`,
      "Each cell is the share of neighbours that two collections have in common: the number, its 95 % interval, and (in brackets) what chance alone would give" +
        (isDense(scores) ? "; with so many models, interval and chance stand in the tables below." : "."),
      heatmap(scores.filter((score) => score.query_model === asker)),
    ),
  );
}

function isDense(scores: Score[]): boolean {
  return new Set(scores.flatMap((score) => score.models)).size > 8;
}

function heatmap(scores: Score[]): HTMLElement {
  const found = (a: string, b: string) => scores.find(({ models: [x, y] }) => (x === a && y === b) || (x === b && y === a));
  const models = together([...new Set(scores.flatMap((score) => score.models))], (a, b) => found(a, b)?.value ?? null);
  const wide = isDense(scores);
  const table = h("table", { class: wide ? "heat dense" : "heat" });
  table.append(h("tr", {}, h("td"), ...models.map((model) => h("th", { scope: "col" }, h("span", {}, model)))));
  for (const a of models) {
    const cells = models.map((b) => {
      const score = found(a, b);
      if (a === b || !score) return h("td", { class: "same" }, a === b ? "–" : "");
      const words = `${a} and ${b}: ${decimal(score.value)} [${decimal(score.low)}, ${decimal(score.high)}], chance ${decimal(score.chance)}, n = ${score.n}`;
      const cell = h("td", { title: words }, decimal(score.value));
      if (!wide) cell.append(h("small", {}, `[${decimal(score.low)}, ${decimal(score.high)}] (${decimal(score.chance)})`));
      if (score.value !== null) {
        cell.style.backgroundColor = amount(score.value);
        cell.style.color = inkOn(score.value);
      }
      return cell;
    });
    table.append(h("tr", {}, h("th", { scope: "row" }, a), ...cells));
  }
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Agreement of all models" }, table);
}

interface Point {
  k: number;
  score: Score;
}

const MOST_LINES = 8;

export function curves(head: Header): HTMLElement[] {
  const lines = new Map<string, Point[]>();
  for (const score of head.curves) {
    const [name, k] = score.measure.split("@");
    if (name !== "overlap" || score.value === null || !k) continue;
    const key = `${score.models.join(" | ")}${score.query_model ? `, asked with ${score.query_model}` : ""}`;
    lines.set(key, [...(lines.get(key) ?? []), { k: Number(k), score }]);
  }
  const all = [...lines].filter(([, points]) => points.length > 1);
  if (!all.length) return [];
  const several = farthest(all);
  const hidden = lines.size - several.length;
  const drawn = several.map(([name, points]) => ({ name, points, pair: points[0].score.models.map((model) => modelClass(head, model)) }));
  return [
    figure(
      "Agreement at every depth.",
      "From left to right the lists get longer; a line that rises says that models agree more on the neighbourhood than on its first places. A line has the colours of its two models. Bands are 95 % intervals, dashes are chance." +
        (hidden > 0 ? ` Shown are the pairs that agree most and least at the end; ${hidden.toLocaleString("en")} more are in the tables below.` : ""),
      lineChart(drawn),
      h("div", { class: "legend" }, ...drawn.map(({ name, pair }) => h("span", {}, ...pair.map((each) => h("i", { class: `swatch ${each}` })), ` ${name} `))),
    ),
  ];
}

/** As many lines as can be told apart: where there are more, half of the highest and half of the lowest at their ends. */
export function farthest<T extends { k: number; score: Score }>(lines: [string, T[]][]): [string, T[]][] {
  if (lines.length <= MOST_LINES) return lines;
  const end = (points: T[]) => points.reduce((last, point) => (point.k > last.k ? point : last)).score.value ?? 0;
  const ordered = [...lines].sort(([, a], [, b]) => end(b) - end(a));
  return [...ordered.slice(0, MOST_LINES / 2), ...ordered.slice(-MOST_LINES / 2)];
}

interface Line {
  name: string;
  points: Point[];
  /** classes that colour the two models */
  pair: string[];
}

function lineChart(lines: Line[]): SVGSVGElement {
  const [width, height, left, bottom] = [560, 280, 40, 50];
  const depths = [...new Set(lines.flatMap(({ points }) => points.map((point) => point.k)))].sort((a, b) => a - b);
  const span = Math.log(depths[depths.length - 1] / depths[0]) || 1;
  const x = (k: number) => left + (Math.log(k / depths[0]) / span) * (width - left - 20);
  const y = (value: number) => 10 + (1 - value) * (height - bottom - 10);
  const path = (points: Point[], of: (score: Score) => number | null) =>
    points.map((point, at) => `${at ? "L" : "M"}${x(point.k).toFixed(1)},${y(of(point.score) ?? 0).toFixed(1)}`).join("");
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": "Overlap against depth" });
  for (const tick of [0, 0.25, 0.5, 0.75, 1])
    svg.append(
      s("line", { x1: left, x2: width - 20, y1: y(tick), y2: y(tick), class: "grid" }),
      s("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick)),
    );
  for (const k of depths) svg.append(s("text", { x: x(k), y: height - 30, "text-anchor": "middle" }, `@${k}`));
  svg.append(
    s("text", { x: left + 6, y: height - bottom - 8 }, "↑ share of neighbours in common"),
    s("text", { x: width - 20, y: height - 8, "text-anchor": "end" }, "length of the lists →"),
  );
  for (const { name, points, pair } of lines) {
    const ordered = [...points].sort((a, b) => a.k - b.k);
    const back = [...ordered].reverse();
    const band = `${path(ordered, (score) => score.high)}${path(back, (score) => score.low).replace("M", "L")}Z`;
    const line = path(ordered, (score) => score.value);
    svg.append(
      s("path", { d: band, class: `band ${pair[0]}` }),
      s("path", { d: path(ordered, (score) => score.chance), class: `line by-chance ${pair[0]}` }),
      s("path", { d: line, class: `line ${pair[0]}` }, s("title", {}, name)),
      s("path", { d: line, class: `line dashed ${pair[pair.length - 1]}` }, s("title", {}, name)),
    );
  }
  return svg;
}
