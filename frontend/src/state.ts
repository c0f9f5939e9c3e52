// What is selected, hovered and filtered; views subscribe and never call each other.

import type { Filters } from "./filters.js";
import type { Answer } from "./payload.js";

/** What dots are coloured by; a column of the data as `column NAME`. */
export type Colour = "group" | "part" | "disagreement" | `column ${string}`;

/** A query typed into the live page, with what each model answered. */
export interface Typed {
  text: string;
  answers: Answer[];
  /** rows of which it was said whether they are right */
  labels: ReadonlyMap<number, boolean>;
  /** Add what is said of a row to the judgements. */
  label: (row: number, right: boolean) => void;
}

export interface State {
  /** query shown in the diff */
  query: number | null;
  /** corpus row under the pointer or focus */
  hovered: number | null;
  /** what lists and maps are limited to, each by its words; all of them hold at once */
  filters: Filters;
  colour: Colour;
  /** whether the parts in which the models disagree most are drawn on the maps */
  hulls: boolean;
  queryModel: string | null;
  /** the two models that maps and diff show */
  pair: readonly [string, string];
  /** stands in place of `query` until another one is chosen */
  typed: Typed | null;
}

type Listener = (state: Readonly<State>, changed: ReadonlySet<keyof State>) => void;

export class Store {
  private listeners: Listener[] = [];

  constructor(public state: State) {}

  subscribe(listener: Listener): void {
    this.listeners.push(listener);
  }

  set(wanted: Partial<State>): void {
    // A query chosen takes the place of the one typed.
    const change: Partial<State> = wanted.query === undefined || wanted.typed ? wanted : { ...wanted, typed: null };
    const changed = new Set<keyof State>();
    for (const key of Object.keys(change) as (keyof State)[]) if (this.state[key] !== change[key]) changed.add(key);
    if (!changed.size) return;
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener(this.state, changed);
  }
}
