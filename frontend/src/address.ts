// The state in the address after "#": a link shows what its sender saw, and the browser's back undoes a step.

import { colours } from "./colouring.js";
import { alike } from "./compare.js";
import { KINDS, type Filters } from "./filters.js";
import { queryCount, queryId, type Scene } from "./payload.js";
import type { State, Store } from "./state.js";

type Told = Pick<State, "query" | "pair" | "colour" | "hulls" | "queryModel" | "filters">;
const TOLD = ["query", "pair", "colour", "hulls", "queryModel", "filters"] as const;

/** What differs from the state that the page opens with, as the part of an address after "#". */
export function written(scene: Scene, state: Told, first: Told): string {
  const words = new URLSearchParams();
  if (state.query !== null && state.query !== first.query) words.set("q", queryId(scene, state.query));
  if (state.queryModel !== null && state.queryModel !== first.queryModel) words.set("asked", state.queryModel);
  state.pair.forEach((name, at) => name !== first.pair[at] && words.set("ab"[at], name));
  if (state.colour !== first.colour) words.set("colour", state.colour);
  if (state.hulls !== first.hulls) words.set("hulls", state.hulls ? "on" : "off");
  for (const kind of KINDS) if (state.filters[kind] !== undefined) words.set(kind, state.filters[kind]);
  return words.toString();
}

/** The state that an address tells of; what it does not tell, or tells of another run, is as at first. */
export function understood(scene: Scene, hash: string, first: Told): Told {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const asked = words.get("asked");
  const queryModel = asked !== null && scene.answers.some((answer) => answer.queryModel === asked) ? asked : first.queryModel;
  const models = alike(scene, queryModel).map((answer) => answer.model);
  const model = (name: string | null, otherwise: string) => (name !== null && models.includes(name) ? name : otherwise);
  const [colour, hulls, filters] = [words.get("colour"), words.get("hulls"), {} as Record<string, string>];
  for (const kind of KINDS) {
    const value = words.get(kind);
    if (value) filters[kind] = value;
  }
  return {
    query: place(scene, words.get("q")) ?? first.query,
    queryModel,
    pair: [model(words.get("a"), first.pair[0]), model(words.get("b"), first.pair[1])],
    colour: colours(scene).find((each) => each === colour) ?? first.colour,
    hulls: hulls === "on" || hulls === "off" ? hulls === "on" : first.hulls,
    filters: filters as Filters,
  };
}

function place(scene: Scene, id: string | null): number | null {
  if (id === null) return null;
  for (let query = 0; query < queryCount(scene); query++) if (queryId(scene, query) === id) return query;
  return null;
}

/** Keep address and state in step, both ways. */
export function bindAddress(scene: Scene, store: Store): void {
  const first: Told = { ...store.state };
  let shown = "";
  const read = () => {
    shown = location.hash.replace(/^#/, "");
    const told = understood(scene, shown, first);
    // What says the same as before stays the very same, so that nothing is drawn in vain.
    const same = (key: (typeof TOLD)[number]) => JSON.stringify(told[key]) === JSON.stringify(store.state[key]);
    store.set(Object.fromEntries(TOLD.filter((key) => !same(key)).map((key) => [key, told[key]])));
  };
  store.subscribe((state, changed) => {
    if (!TOLD.some((key) => changed.has(key))) return;
    const now = written(scene, state, first);
    if (now === shown || now === written(scene, understood(scene, shown, first), first)) return;
    const letters = (hash: string) => [new URLSearchParams(hash)].map((words) => (words.delete("search"), words.toString()))[0];
    const typing = letters(now) === letters(shown) && now.includes("search=") && shown.includes("search=");
    shown = now;
    const address = now ? `#${now}` : `${location.pathname}${location.search}`;
    if (typing) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
  });
  addEventListener("popstate", read);
  addEventListener("hashchange", () => location.hash.replace(/^#/, "") !== shown && read());
  if (location.hash) read();
}
