// The order in which many models stand beside each other: those that agree stand together.

const FEW = 4; // models that stand as they were named

/** Names by average linkage (Sokal and Michener 1958): the two clusters that agree most are joined, end to end, until one is left. */
export function together(names: readonly string[], agreement: (a: string, b: string) => number | null): string[] {
  if (names.length <= FEW) return [...names];
  const between = (some: readonly string[], others: readonly string[]) => {
    const known = some.flatMap((a) => others.map((b) => agreement(a, b))).filter((each) => each !== null);
    return known.length ? known.reduce((sum, each) => sum + each, 0) / known.length : -1;
  };
  let clusters: string[][] = names.map((name) => [name]);
  while (clusters.length > 1) {
    const pairs = clusters.flatMap((a, at) => clusters.slice(at + 1).map((b) => ({ a, b, value: between(a, b) })));
    const { a, b } = pairs.reduce((best, pair) => (pair.value > best.value ? pair : best));
    clusters = [joined(a, b, between), ...clusters.filter((each) => each !== a && each !== b)];
  }
  return clusters[0];
}

/** Two clusters end to end, turned so that the ends that meet agree most. */
function joined(a: string[], b: string[], between: (some: readonly string[], others: readonly string[]) => number): string[] {
  const turned = (each: string[]) => (each.length > 1 ? [each, [...each].reverse()] : [each]);
  const ways = turned(a).flatMap((left) => turned(b).map((right) => ({ line: [...left, ...right], value: between([left[left.length - 1]], [right[0]]) })));
  return ways.reduce((best, way) => (way.value > best.value ? way : best)).line;
}
