// What is selected, hovered and filtered; views subscribe and never call each other.

export type Colour = "group" | "disagreement";

export interface State {
  /** query shown in the diff */
  query: number | null;
  /** corpus row under the pointer or focus */
  hovered: number | null;
  /** queries that lists and maps are limited to; null for all */
  filter: Set<number> | null;
  /** why they are limited, in words */
  filterWords: string;
  colour: Colour;
  queryModel: string | null;
  reference: number;
  /** for a typed query: the rows nearest to it, by model; the maps mark their middle */
  nearest: ReadonlyMap<string, number[]> | null;
}

type Listener = (state: Readonly<State>, changed: ReadonlySet<keyof State>) => void;

export class Store {
  private listeners: Listener[] = [];

  constructor(public state: State) {}

  subscribe(listener: Listener): void {
    this.listeners.push(listener);
  }

  set(change: Partial<State>): void {
    const changed = new Set<keyof State>();
    for (const key of Object.keys(change) as (keyof State)[]) if (this.state[key] !== change[key]) changed.add(key);
    if (!changed.size) return;
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener(this.state, changed);
  }
}
