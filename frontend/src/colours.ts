// Colour-blind-safe colours: Okabe and Ito (2008) for groups; amounts are one hue, blue, from pale to deep.

import type { Header } from "./payload.js";

export const GROUPS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8c8c8c"];
/** Dots by group: after the seven hues others between them, which some eyes may not tell apart (names come with the pointer); the last is grey. */
export const DOTS = [...GROUPS.slice(0, -1), "#7f6cd0", "#999933", "#44aa99", "#aa4499", "#cc6677", "#a0683c", "#5c9e31", "#3f8fa6", GROUPS[GROUPS.length - 1]];
const LOW: Rgb = [230, 240, 250];
const MIDDLE: Rgb = [90, 155, 213];
const HIGH: Rgb = [8, 48, 107];

type Rgb = [number, number, number];

/** Amount in 0..1 to a colour. */
export function amount(value: number): string {
  return hex(mixed(Math.min(1, Math.max(0, value))));
}

/** Black or white, whichever contrasts more with the colour of `amount(value)` (relative luminance of WCAG 2). */
export function inkOn(value: number): string {
  const [r, g, b] = mixed(Math.min(1, Math.max(0, value))).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) ? "#000" : "#fff";
}

/** Amounts as dots on a map: more stands out more, so on a dark ground it is paler; ends that would vanish are left out. */
export function dotAmounts(dark: boolean): string[] {
  const [from, to] = dark ? [0.75, 0] : [0.2, 1];
  return Array.from({ length: 32 }, (_, step) => amount(from + ((to - from) * step) / 31));
}

/** A dot that says nothing; seen on a dark and on a white ground. */
export const NEUTRAL = "#8c8c8c";

function mixed(value: number): Rgb {
  const [from, to, share] = value < 0.5 ? [LOW, MIDDLE, value * 2] : [MIDDLE, HIGH, value * 2 - 1];
  return [0, 1, 2].map((i) => from[i] + (to[i] - from[i]) * share) as Rgb;
}

function hex(rgb: Rgb): string {
  return `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
}

/** How many names have a colour of their own. */
export const MOST_COLOURS = 100;
const OTHERS = DOTS[DOTS.length - 1];

/** A colour for each of so many names: those of `DOTS` first, then hues a golden angle apart, which lie far from their neighbours. */
export function nameColours(count: number): string[] {
  const known = DOTS.slice(0, -1);
  return Array.from({ length: count }, (_, at) => known[at] ?? hueColour(at));
}

function hueColour(at: number): string {
  const [hue, light, strength] = [(at * 137.508) % 360, [0.42, 0.62, 0.52][at % 3], [0.75, 0.55, 0.4][Math.floor(at / 3) % 3]];
  const part = (shift: number) => {
    const from = (shift + hue / 30) % 12;
    return 255 * (light - strength * Math.min(light, 1 - light) * Math.max(-1, Math.min(from - 3, 9 - from, 1)));
  };
  return hex([part(0), part(8), part(4)]);
}

/** The names of values, the commonest first, with their colours; of more than a hundred, the rest share the last, which is grey. */
export function coloursOf(values: readonly string[]): { names: string[]; colours: string[]; of: Map<string, number> } {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const byCount = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const last = MOST_COLOURS - 1;
  const of = new Map(byCount.map((name, place) => [name, byCount.length > MOST_COLOURS ? Math.min(place, last) : place]));
  if (byCount.length <= MOST_COLOURS) return { names: byCount, colours: nameColours(byCount.length), of };
  return { names: [...byCount.slice(0, last), `${byCount.length - last} others`], colours: [...nameColours(last), OTHERS], of };
}

const COLOURS = 12;

/** The class that colours a model, the same in every figure: by its place among the models, bm25 last. */
export function modelClass(head: Pick<Header, "models" | "headline">, model: string): string {
  const at = namesOf(head).indexOf(model);
  return `model m${at < 0 ? COLOURS : at % COLOURS}`;
}

/** Every name that has a colour: the models, and what else stands in the headline. */
export function namesOf({ models, headline }: Pick<Header, "models" | "headline">): string[] {
  return [...new Set([...models, ...headline.standings.map((each) => each.model), ...headline.agreement.flatMap((each) => each.models)])];
}
