/** One figure over the rounds of a run. */
export interface Figure {
  readonly median: number
  readonly low: number
  readonly high: number
  /** One value for each round, in the order of measurement. */
  readonly values: readonly number[]
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: quantile(sorted, 0.5), low: sorted[0] ?? NaN, high: sorted.at(-1) ?? NaN, values }
}

export function median(values: readonly number[]): number {
  return figureOf(values).median
}

/** Quantile of values in ascending order, interpolated linearly. */
function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return NaN
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] as number
  const above = sorted[Math.ceil(at)] as number
  return below + (above - below) * (at - Math.floor(at))
}

/** Quantiles of latencies; a mean would hide outliers. */
export function percentiles<Prefix extends string>(
  prefix: Prefix,
  valuesMs: readonly number[],
): Record<`${Prefix}${'P50' | 'P99' | 'P999' | 'Max'}Ms`, number> {
  const sorted = [...valuesMs].sort((a, b) => a - b)
  return {
    [`${prefix}P50Ms`]: quantile(sorted, 0.5),
    [`${prefix}P99Ms`]: quantile(sorted, 0.99),
    [`${prefix}P999Ms`]: quantile(sorted, 0.999),
    [`${prefix}MaxMs`]: sorted.at(-1) ?? NaN,
  } as Record<`${Prefix}${'P50' | 'P99' | 'P999' | 'Max'}Ms`, number>
}

/** Fisher-Yates shuffle: every order is equally likely. */
export function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}

const RESAMPLES = 200

/** The interval with 90 % of the values of a statistic over resamples of the items (Efron's bootstrap). */
export function resampled<T>(
  items: readonly T[],
  statistic: (sample: readonly T[]) => number,
): { readonly from: number; readonly to: number } {
  const draw = () => items.map(() => items[Math.floor(Math.random() * items.length)] as T)
  const values = Array.from({ length: RESAMPLES }, () => statistic(draw())).sort((a, b) => a - b)
  return { from: quantile(values, 0.05), to: quantile(values, 0.95) }
}
