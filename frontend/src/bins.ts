// Disagreement in twenty equal steps: for the histogram and the filter that its bars are.

export const BINS = 20;

export function binOf(value: number): number {
  return Number.isNaN(value) ? -1 : Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)));
}

export function binLimits(bin: number): string {
  return `${(bin / BINS).toFixed(2)} to ${((bin + 1) / BINS).toFixed(2)}`;
}

export function counted(values: Float64Array): number[] {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) if (!Number.isNaN(value)) counts[binOf(value)]++;
  return counts;
}
