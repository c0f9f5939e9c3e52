// What the live page asks, as it stands in the address before "#". No page, no state.

/** A query, and how it is asked. */
export interface Asked {
  text: string;
  k: number;
  metric: string;
  index: string;
}

/** What an address asks for; null where it asks nothing. */
export function askedIn(search: string, usual: Asked): Asked | null {
  const told = new URLSearchParams(search);
  const text = told.get("q");
  if (!text) return null;
  return { text, k: Number(told.get("k")) || usual.k, metric: told.get("metric") ?? usual.metric, index: told.get("index") ?? usual.index };
}

/** The same address asking for something else, or for nothing; what is as usual is left out. */
export function asksFor(search: string, asked: Asked | null, usual: Asked): string {
  const told = new URLSearchParams(search);
  for (const name of ["q", "k", "metric", "index"]) told.delete(name);
  if (asked) {
    told.set("q", asked.text);
    for (const name of ["k", "metric", "index"] as const) if (asked[name] !== usual[name]) told.set(name, String(asked[name]));
  }
  return `?${told}`;
}
