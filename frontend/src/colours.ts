// Colour-blind-safe colours: Okabe and Ito (2008) for groups; amounts are one hue, blue, from pale to deep.

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

/** Up to sixteen groups have a colour each; of more, the fifteen commonest, and the rest share the last. */
export function groupColours(groups: readonly string[]): { names: string[]; of: Map<string, number> } {
  const counts = new Map<string, number>();
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1);
  const byCount = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const last = DOTS.length - 1;
  const names = byCount.length <= DOTS.length ? byCount : [...byCount.slice(0, last), `${byCount.length - last} other groups`];
  return { names, of: new Map(byCount.map((name, place) => [name, Math.min(place, last)])) };
}
