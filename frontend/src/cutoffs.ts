// One cut-off in every model: a slider over the share of pairs that pass, and a line through the models' scales.

import { decimal } from "./charts.js";
import { modelClass } from "./colours.js";
import { h, s } from "./dom.js";
import type { Cutoffs, Header } from "./payload.js";

const [WIDTH, ROW, LEFT, TOP] = [620, 34, 150, 26];

/** A share of pairs in words: as per cent, or one in so many. */
export function rateWords(rate: number): string {
  if (rate >= 0.001) return `${Number((100 * rate).toPrecision(3))} % of the pairs`;
  return `one of ${Number((1 / rate).toPrecision(3)).toLocaleString("en")} pairs`;
}

/** The step whose cut-off of the first model is nearest to a value. */
export function stepNear({ lines }: Pick<Cutoffs, "lines">, cut: number): number {
  const away = lines[0].cuts.map((each) => Math.abs(each - cut));
  return away.indexOf(Math.min(...away));
}

export function cutoffSlider(head: Header, cutoffs: Cutoffs): HTMLElement | null {
  const { rates, lines } = cutoffs;
  if (rates.length < 2 || lines.length < 2) return null;
  const [low, high] = [Math.min(...lines.flatMap(({ cuts }) => cuts)), Math.max(...lines.flatMap(({ cuts }) => cuts))];
  const x = (cut: number) => LEFT + ((cut - low) / (high - low || 1)) * (WIDTH - LEFT - 70);
  const y = (at: number) => TOP + at * ROW;
  const height = TOP + lines.length * ROW;
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "chart cutoff-line", role: "img", "aria-label": "The same cut-off in every model" });
  const moving = s("g");
  lines.forEach(({ model, cuts }, at) => {
    svg.append(
      s("text", { x: LEFT - 10, y: y(at) + 4, "text-anchor": "end", class: `name ${modelClass(head, model)}` }, model.length > 20 ? `${model.slice(0, 19)}…` : model, s("title", {}, model)),
      s("line", { x1: x(Math.min(...cuts)), x2: x(Math.max(...cuts)), y1: y(at), y2: y(at), class: "rail" }),
    );
  });
  svg.append(moving);
  const words = h("output", { class: "small" });
  const slider = h("input", { type: "range", min: 0, max: rates.length - 1, step: 1, value: stepNear(cutoffs, cutoffs.rows[Math.floor(cutoffs.rows.length / 2)]?.at ?? 0.5), "aria-label": "Share of pairs that pass" });
  const draw = () => {
    const step = Number(slider.value);
    const cuts = lines.map((line) => line.cuts[step]);
    moving.replaceChildren(
      s("polyline", { class: "pareto", points: cuts.map((cut, at) => `${x(cut).toFixed(1)},${y(at)}`).join(" ") }),
      ...cuts.flatMap((cut, at) => [
        s("circle", { cx: x(cut), cy: y(at), r: 5, class: modelClass(head, lines[at].model) }),
        s("text", { x: x(cut) + 9, y: y(at) - 6, class: "cut" }, decimal(cut, 3)),
      ]),
    );
    words.textContent = `To let ${rateWords(rates[step])} pass: a cosine of ${lines.map(({ model }, at) => `${decimal(cuts[at], 3)} in ${model}`).join(", ")}.`;
    slider.setAttribute("aria-valuetext", words.textContent);
  };
  slider.addEventListener("input", draw);
  draw();
  return h("div", { class: "cutoffs" }, h("label", { class: "small" }, "few pairs pass ← ", slider, " → all pass"), svg, words);
}
