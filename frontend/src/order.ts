// The order in which many models stand beside each other: those that agree stand together.

const FEW = 4; // models that stand as they were named

/** Names by average linkage (Sokal and Michener 1958): the two clusters that agree most are joined, end to end, until one is left. */
export function together(names: readonly string[], agreement: (a: string, b: string) => number | null): string[] {
  if (names.length <= FEW) return [...names];
  const table = names.map((a) => names.map((b) => (a === b ? null : agreement(a, b)))); // looked up once for each pair
  const between = (some: readonly number[], others: readonly number[]) => {
    let [sum, known] = [0, 0];
    for (const a of some)
      for (const b of others) {
        const value = table[a][b];
        if (value !== null) [sum, known] = [sum + value, known + 1];
      }
    return known ? sum / known : -1;
  };
  let clusters: number[][] = names.map((_, at) => [at]);
  while (clusters.length > 1) {
    const pairs = clusters.flatMap((a, at) => clusters.slice(at + 1).map((b) => ({ a, b, value: between(a, b) })));
    const { a, b } = pairs.reduce((best, pair) => (pair.value > best.value ? pair : best));
    clusters = [joined(a, b, between), ...clusters.filter((each) => each !== a && each !== b)];
  }
  return clusters[0].map((at) => names[at]);
}

/** Two clusters end to end, turned so that the ends that meet agree most. */
function joined(a: number[], b: number[], between: (some: readonly number[], others: readonly number[]) => number): number[] {
  const turned = (each: number[]) => (each.length > 1 ? [each, [...each].reverse()] : [each]);
  const ways = turned(a).flatMap((left) => turned(b).map((right) => ({ line: [...left, ...right], value: between([left[left.length - 1]], [right[0]]) })));
  return ways.reduce((best, way) => (way.value > best.value ? way : best)).line;
}
