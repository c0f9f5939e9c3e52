// What each model costs against what it is worth, on a log axis: seconds to encode a text, of texts that were encoded now;
// of variants of one model, which one pass encodes, bytes of a vector.

import { decimal } from "./charts.js";
import { modelClass } from "./colours.js";
import { s } from "./dom.js";
import type { Cost, Header } from "./payload.js";
import { figure } from "./picture.js";

/** What stands on the axis of cost. */
interface Axis {
  of: (cost: Cost) => number;
  words: string;
  reading: string;
}

const SECONDS: Axis = { of: (cost) => (cost.seconds as number) * 1000, words: "milliseconds to encode one text, log →", reading: "To the left is faster" };
const BYTES: Axis = { of: (cost) => cost.bytes, words: "bytes per vector, log →", reading: "To the left is smaller" };

/** The models to which no other is preferable in both: none costs as little and is better, or less and as good; cheapest first. */
export function pareto<T>(costs: readonly T[], spent: (cost: T) => number, worth: (cost: T) => number): T[] {
  const ordered = [...costs].sort((a, b) => spent(a) - spent(b) || worth(b) - worth(a));
  return ordered.filter((cost, at) => ordered.slice(0, at).every((faster) => worth(faster) < worth(cost)));
}

/** Round numbers from 0 up to a limit, about five of them. */
export function steps(most: number): number[] {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}

/** Round numbers on a log axis that lie between two ends: 1, 2 and 5 times powers of ten, of many powers the powers alone. */
export function logSteps(low: number, high: number): number[] {
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 }, (_, at) => Math.floor(Math.log10(low)) + at);
  const factors = powers.length > 4 ? [1] : [1, 2, 5];
  return powers.flatMap((power) => factors.map((factor) => Number((factor * 10 ** power).toPrecision(3)))).filter((at) => at >= low && at <= high);
}

const [WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM] = [660, 270, 60, 150, 52];
const LETTERS = 18; // of a name beside a dot without a time
const LEVELS = [-30, 38, -46, 54]; // of names above and below the dots of the line, clear of most intervals

/** What tells names apart: without their common beginning, and of options the values alone. */
export function shortNames(names: readonly string[]): string[] {
  const first = names[0] ?? "";
  let same = 0;
  while (names.length > 1 && same < first.length && names.every((name) => name[same] === first[same])) same += 1;
  const begin = first.slice(0, same).search(/[^?&=-]*$/);
  return names.map((name) => name.slice(begin).replace(/(^|&)[a-z_]+=/g, "$1").replaceAll("&", ", "));
}

export function costs(head: Header): HTMLElement[] {
  const every = head.costs;
  if (every.length < 2) return [];
  const judged = head.quality !== null && every.every((cost) => cost.value !== null);
  const timed = every.filter((cost) => cost.seconds !== null && cost.seconds > 0);
  const title = "What each model costs.";
  const bySize = judged && new Set(timed.map((cost) => cost.seconds)).size < 2 && new Set(every.map((cost) => cost.bytes)).size > 1;
  const axis = bySize ? BYTES : SECONDS;
  const placed = bySize ? every : timed;
  const untimed = every.filter((cost) => !placed.includes(cost));
  const reasons = (costs: Cost[]) => costs.map(({ model, why }) => `${model} (${why})`).join(", ");
  const unknown = every.filter((cost) => !timed.includes(cost));
  const alike = unknown.length ? `Without a time to encode a text: ${reasons(unknown)}.` : "To encode a text takes as long with each.";
  const why = untimed.length ? ` On the right, without a time: ${reasons(untimed)}; only texts that were encoded in this run are timed.` : "";
  if (!placed.length) return [figure(title, `No text was encoded in this run, so nothing was timed: ${reasons(untimed)}. Encode anew with --cache off to see what each model costs.`)];
  const reading = judged
    ? `${axis.reading}, up is higher in ${head.quality}, with its 95 % interval; the line joins the models that no other beats in both. ${bySize ? alike : "A larger dot takes more bytes per vector."}`
    : "To the left is faster, down is smaller; the line joins the models that no other beats in both. No labels were given with this run, so nothing here says which model finds the right results.";
  return [figure(title, reading + why, chart(head, axis, placed, untimed, judged))];
}

function chart(head: Header, axis: Axis, placed: Cost[], untimed: Cost[], judged: boolean): SVGSVGElement {
  const upright = (cost: Cost) => (judged ? (cost.value as number) : cost.bytes);
  const bySize = axis === BYTES; // of variants: their values lie close together
  const ends = placed.flatMap((cost) => [cost.low, cost.high, cost.value]).filter((each): each is number => each !== null);
  const least = bySize ? Math.max(0, Math.floor((Math.min(...ends) - 0.02) * 20) / 20) : 0;
  const most = bySize ? Math.min(1, Math.ceil((Math.max(...ends) + 0.02) * 20) / 20) : judged ? 1 : Math.max(...placed.map(upright), ...untimed.map(upright)) * 1.15;
  const spent = placed.map(axis.of);
  const [low, high] = [Math.min(...spent) / 2, Math.max(...spent) * 2];
  const x = (value: number) => LEFT + (Math.log(value / low) / Math.log(high / low)) * (WIDTH - LEFT - RIGHT - 20);
  const y = (value: number) => 10 + (1 - (value - least) / (most - least)) * (HEIGHT - BOTTOM - 10);
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": "Cost of each model" });
  const end = WIDTH - RIGHT - 20;
  svg.append(
    s("line", { x1: LEFT, x2: end, y1: y(least), y2: y(least), class: "axis" }),
    s("line", { x1: LEFT, x2: LEFT, y1: 10, y2: y(least), class: "axis" }),
    s("text", { x: end, y: HEIGHT - 8, "text-anchor": "end" }, axis.words),
    s("text", { x: LEFT + 6, y: 20 }, judged ? `↑ ${head.quality}` : "↑ bytes per vector"),
    ...logSteps(low, high).map((at) => s("text", { x: x(at), y: y(least) + 16, "text-anchor": "middle" }, at.toLocaleString("en", { maximumSignificantDigits: 3 }))),
    ...steps(most - least).map((at) => Number((least + at).toPrecision(6))).map((at) => s("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, at.toLocaleString("en"))),
  );
  const best = pareto(placed, axis.of, (cost) => (judged ? upright(cost) : -upright(cost)));
  if (best.length > 1) svg.append(s("polyline", { class: "pareto", points: best.map((cost) => `${x(axis.of(cost)).toFixed(1)},${y(upright(cost)).toFixed(1)}`).join(" ") }));
  if (untimed.length) svg.append(s("line", { x1: end + 14, x2: end + 14, y1: 10, y2: y(least), class: "grid" }), s("text", { x: WIDTH - RIGHT / 2, y: y(least) + 16, "text-anchor": "middle" }, "not timed"));
  const names = shortNames(placed.map((cost) => cost.model));
  const close = crowded(placed.map((cost) => [x(axis.of(cost)), y(upright(cost)), cost.model.length]));
  const inOrder = [...placed].sort((a, b) => axis.of(a) - axis.of(b));
  placed.forEach((cost, at) => {
    const [cx, place] = [x(axis.of(cost)), bySize ? best.indexOf(cost) : inOrder.indexOf(cost)];
    const [dot, label] = spot(head, cost, cx, y, judged, cx < WIDTH * 0.55);
    svg.append(...dot);
    if (!bySize && !close) svg.append(label);
    else if (place >= 0) svg.append(s("text", { class: `name ${modelClass(head, cost.model)}`, x: cx, y: y(upright(cost)) + LEVELS[place % LEVELS.length], "text-anchor": "middle" }, bySize ? names[at] : cost.model));
  });
  for (const cost of untimed) svg.append(...spot(head, cost, end + 28, y, judged, true).flat());
  return svg;
}

/** Whether the name at the right of some dot would stand over another one: each dot by its place and the letters of its name. */
export function crowded(dots: readonly (readonly [x: number, y: number, letters: number])[]): boolean {
  return dots.some(([x, y, letters]) => dots.some(([left, top]) => left > x && left - x < 7 * letters + 24 && Math.abs(top - y) < 24));
}

function spot(head: Header, cost: Cost, cx: number, y: (value: number) => number, judged: boolean, onRight: boolean): [SVGElement[], SVGElement] {
  const cy = y(judged ? (cost.value as number) : cost.bytes);
  const time = cost.seconds === null ? (cost.why ?? "not timed") : `${(cost.seconds * 1000).toPrecision(3)} ms a text (${cost.encoded.toLocaleString("en")} encoded)`;
  const search = cost.search === null ? "" : `, ${(cost.search * 1000).toPrecision(2)} ms a query in the store`;
  const words = `${cost.model}: ${time}${search}, ${cost.bytes.toLocaleString("en")} bytes a vector${judged ? `, ${head.quality} ${decimal(cost.value)} [${decimal(cost.low)}, ${decimal(cost.high)}]` : ""}`;
  const look = modelClass(head, cost.model);
  const within = judged && cost.low !== null && cost.high !== null ? [s("line", { x1: cx, x2: cx, y1: y(cost.low), y2: y(cost.high), class: `within ${look}` })] : [];
  return [
    [...within, s("circle", { cx, cy, r: judged ? 4 + Math.sqrt(cost.bytes) / 12 : 6, class: `spot ${look}${cost.seconds === null ? " untimed" : ""}` }, s("title", {}, words))],
    s("text", { class: `name ${look}`, x: onRight ? cx + 12 : cx - 12, y: cy - 6, "text-anchor": onRight ? "start" : "end" }, cost.seconds === null && cost.model.length > LETTERS ? `${cost.model.slice(0, LETTERS)}…` : cost.model),
  ];
}
