// What each model costs against what it is worth: seconds to encode a text, on a log axis, of texts that were encoded now.

import { decimal } from "./charts.js";
import { modelClass } from "./colours.js";
import { s } from "./dom.js";
import type { Cost, Header } from "./payload.js";
import { figure } from "./picture.js";

type Timed = Cost & { seconds: number };

/** The models to which no other is preferable in both: none is as fast and better, or faster and as good; fastest first. */
export function pareto<T extends { seconds: number }>(costs: readonly T[], worth: (cost: T) => number): T[] {
  const ordered = [...costs].sort((a, b) => a.seconds - b.seconds || worth(b) - worth(a));
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


export function costs(head: Header): HTMLElement[] {
  const every = head.costs;
  if (every.length < 2) return [];
  const timed = every.filter((cost): cost is Timed => cost.seconds !== null && cost.seconds > 0);
  const untimed = every.filter((cost) => !timed.includes(cost as Timed));
  const judged = head.quality !== null && every.every((cost) => cost.value !== null);
  const why = untimed.length ? ` On the right, without a time: ${untimed.map(({ model, why }) => `${model} (${why})`).join(", ")}; only texts that were encoded in this run are timed.` : "";
  const title = "What each model costs.";
  if (!timed.length) return [figure(title, `No text was encoded in this run, so nothing was timed: ${untimed.map(({ model, why }) => `${model} (${why})`).join(", ")}. Encode anew with --cache off to see what each model costs.`)];
  const reading = judged
    ? `To the left is faster, up is higher in ${head.quality}, with its 95 % interval; the line joins the models that no other beats in both. A larger dot takes more bytes per vector.`
    : "To the left is faster, down is smaller; the line joins the models that no other beats in both. No labels were given with this run, so nothing here says which model finds the right results.";
  return [figure(title, reading + why, chart(head, timed, untimed, judged))];
}

function chart(head: Header, timed: Timed[], untimed: Cost[], judged: boolean): SVGSVGElement {
  const upright = (cost: Cost) => (judged ? (cost.value as number) : cost.bytes);
  const most = judged ? 1 : Math.max(...timed.map(upright), ...untimed.map(upright)) * 1.15;
  const ms = timed.map((cost) => cost.seconds * 1000);
  const [low, high] = [Math.min(...ms) / 2, Math.max(...ms) * 2];
  const x = (seconds: number) => LEFT + (Math.log((seconds * 1000) / low) / Math.log(high / low)) * (WIDTH - LEFT - RIGHT - 20);
  const y = (value: number) => 10 + (1 - value / most) * (HEIGHT - BOTTOM - 10);
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": "Cost of each model" });
  const end = WIDTH - RIGHT - 20;
  svg.append(
    s("line", { x1: LEFT, x2: end, y1: y(0), y2: y(0), class: "axis" }),
    s("line", { x1: LEFT, x2: LEFT, y1: 10, y2: y(0), class: "axis" }),
    s("text", { x: end, y: HEIGHT - 8, "text-anchor": "end" }, "milliseconds to encode one text, log →"),
    s("text", { x: LEFT + 6, y: 20 }, judged ? `↑ ${head.quality}` : "↑ bytes per vector"),
    ...logSteps(low, high).map((at) => s("text", { x: x(at / 1000), y: y(0) + 16, "text-anchor": "middle" }, at.toLocaleString("en", { maximumSignificantDigits: 3 }))),
    ...steps(most).map((at) => s("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, at.toLocaleString("en"))),
  );
  const best = pareto(timed, (cost) => (judged ? upright(cost) : -upright(cost)));
  if (best.length > 1) svg.append(s("polyline", { class: "pareto", points: best.map((cost) => `${x(cost.seconds).toFixed(1)},${y(upright(cost)).toFixed(1)}`).join(" ") }));
  if (untimed.length) svg.append(s("line", { x1: end + 14, x2: end + 14, y1: 10, y2: y(0), class: "grid" }), s("text", { x: WIDTH - RIGHT / 2, y: y(0) + 16, "text-anchor": "middle" }, "not timed"));
  for (const cost of timed) svg.append(...spot(head, cost, x(cost.seconds), y, judged, x(cost.seconds) < WIDTH * 0.55));
  for (const cost of untimed) svg.append(...spot(head, cost, end + 28, y, judged, true));
  return svg;
}

function spot(head: Header, cost: Cost, cx: number, y: (value: number) => number, judged: boolean, onRight: boolean): SVGElement[] {
  const cy = y(judged ? (cost.value as number) : cost.bytes);
  const time = cost.seconds === null ? (cost.why ?? "not timed") : `${(cost.seconds * 1000).toPrecision(3)} ms a text (${cost.encoded.toLocaleString("en")} encoded)`;
  const words = `${cost.model}: ${time}, ${cost.bytes.toLocaleString("en")} bytes a vector${judged ? `, ${head.quality} ${decimal(cost.value)} [${decimal(cost.low)}, ${decimal(cost.high)}]` : ""}`;
  const look = modelClass(head, cost.model);
  const within = judged && cost.low !== null && cost.high !== null ? [s("line", { x1: cx, x2: cx, y1: y(cost.low), y2: y(cost.high), class: `within ${look}` })] : [];
  return [
    ...within,
    s("circle", { cx, cy, r: judged ? 4 + Math.sqrt(cost.bytes) / 12 : 6, class: `spot ${look}${cost.seconds === null ? " untimed" : ""}` }, s("title", {}, words)),
    s("text", { x: onRight ? cx + 12 : cx - 12, y: cy + 4, "text-anchor": onRight ? "start" : "end" }, cost.seconds === null && cost.model.length > LETTERS ? `${cost.model.slice(0, LETTERS)}…` : cost.model),
  ];
}
