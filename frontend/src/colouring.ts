// What the dots are coloured by: group, suggested cluster, disagreement, or any other column of the data.

import { coloursOf, dotAmounts, nameColours, NEUTRAL } from "./colours.js";
import type { Kind } from "./filters.js";
import type { Scene } from "./payload.js";
import type { Colour } from "./state.js";

export interface Names {
  names: string[];
  colours: string[];
  /** of each row the place of its name */
  of: Float32Array;
  /** the filter that leaves the rows of a name; null for the rest of many */
  limit: (at: number) => readonly [Kind, string] | null;
}

/** Everything that the dots of these data can be coloured by; disagreement where the rows are queries. */
export function colours({ head, queryRow, columns }: Pick<Scene, "head" | "queryRow" | "columns">): Colour[] {
  const found: Colour[] = [
    ...(head.items.groups ? (["group"] as const) : []),
    ...(head.parts.by === "clusters" ? (["part"] as const) : []),
    ...(queryRow ? (["disagreement"] as const) : []),
    ...columns.map(({ name }) => `column ${name}` as const),
  ];
  return found.length ? found : ["disagreement"];
}

/** What they are coloured by at first: groups, else disagreement, else whatever there is. */
export function firstColour(scene: Pick<Scene, "head" | "queryRow" | "columns">): Colour {
  const found = colours(scene);
  return found.find((colour) => colour === "group") ?? found.find((colour) => colour === "disagreement") ?? found[0];
}

export function colourWords(colour: Colour): string {
  return colour === "part" ? "suggested cluster" : colour.replace(/^column /, "");
}

const known = new WeakMap<Scene, Map<Colour, Names | null>>();

/** Names and colours of the rows, the same for every view; null where the colour is an amount. */
export function namesBy(scene: Scene, colour: Colour): Names | null {
  const mine = known.get(scene) ?? new Map<Colour, Names | null>();
  known.set(scene, mine);
  if (!mine.has(colour)) mine.set(colour, made(scene, colour));
  return mine.get(colour) ?? null;
}

function made(scene: Scene, colour: Colour): Names | null {
  const { groups } = scene.head.items;
  if (colour === "group" && groups) {
    const { names, colours, of } = coloursOf(groups);
    return { names, colours, of: Float32Array.from(groups, (group) => of.get(group) ?? 0), limit: (at) => (of.has(names[at]) ? ["group", names[at]] : null) };
  }
  if (colour === "part") {
    const { names } = scene.head.parts;
    return { names, colours: nameColours(names.length), of: Float32Array.from(scene.partOfRow), limit: (at) => ["part", names[at]] };
  }
  const column = scene.columns.find(({ name }) => colour === `column ${name}`);
  if (!column) return null;
  const rest = column.values.findIndex((value) => value === "");
  const colours = nameColours(column.values.length).map((each, at) => (at === rest ? NEUTRAL : each));
  return { names: column.values.map((value) => value || "(none or others)"), colours, of: Float32Array.from(column.of), limit: (at) => (at === rest ? null : ["column", `${column.name}\n${column.values[at]}`]) };
}

/** Colours of the dots; one that says nothing where nothing is known of the rows, because the queries come from elsewhere. */
export function palette(scene: Scene, colour: Colour, dark: boolean): string[] {
  return namesBy(scene, colour)?.colours ?? (scene.queryRow ? dotAmounts(dark) : [NEUTRAL, NEUTRAL]);
}

/** What is drawn of each row: the place of its name, or the disagreement about it as a query. */
export function dotValues(scene: Scene, colour: Colour): Float32Array {
  const names = namesBy(scene, colour);
  if (names) return names.of;
  const out = new Float32Array(scene.head.items.ids.length);
  scene.disagreement.forEach((value, query) => {
    if (scene.queryRow && !Number.isNaN(value)) out[scene.queryRow[query]] = value;
  });
  return out;
}
