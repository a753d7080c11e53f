import * as echarts from 'echarts'

import { type BenchResult, comparedRows, type Row, type ScopeResult } from '../result.js'
import { pointOf } from '../scopes/curves.js'

/** A chart for the report or for a file of the documentation. */
export interface Chart {
  readonly id: string
  readonly title: string
  readonly svg: string
}

type Option = echarts.EChartsOption

/** All charts for which the result has figures. */
export function chartsOf(result: BenchResult): Chart[] {
  return [
    latencyChart(result),
    gapChart(result),
    ...['CAs', 'servers', 'hosts'].map((curve) => curveChart(result, curve)),
    wireChart(result),
    peersChart(result),
    memoryChart(result),
  ].filter((chart) => chart !== undefined)
}

const WIDTH = 900
const COLORS = ['#0b7a75', '#c2452d', '#4a5fa5', '#a8801f', '#6b6b6b', '#8e4b8e', '#3f7d3f']
const TEXT = { fontFamily: 'system-ui, sans-serif' }
const PANEL_HEIGHT = 130

function render(id: string, title: string, height: number, option: Option): Chart {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  try {
    chart.setOption({ animation: false, color: COLORS, textStyle: TEXT, backgroundColor: '#fff', ...option })
    // For screen readers.
    const svg = chart.renderToSVGString().replace(/<svg[^>]*>/, (open) => `${open}<title>${title}</title>`)
    return { id, title, svg }
  } finally {
    chart.dispose()
  }
}

/** Every handshake of a window as a dot, with a line for each replacement of files; one panel for each technique. */
function latencyChart(result: BenchResult): Chart | undefined {
  const panels = timelinesOf(result)
  if (panels.length === 0) return undefined
  const [firstTop, pitch] = [100, PANEL_HEIGHT + 50]
  const top = (i: number) => firstTop + i * pitch
  const highest = Math.max(...panels.flatMap(({ timeline }) => timeline?.points.map(([, ms]) => ms) ?? []))
  const title = 'New TLS connections at 100 per second, while the certificate is renewed once a second'
  return render('latency', title, top(panels.length) + 20, {
    title: [
      heading(title, `${panels[0]?.scenario}; a dot is a handshake, a line is a renewal`),
      ...panels.map(({ variant }, i) => ({
        text: variant,
        textStyle: { ...TEXT, fontSize: 13 },
        left: 75,
        top: top(i) - 22,
      })),
    ],
    grid: panels.map((_, i) => ({ left: 75, right: 20, top: top(i), height: PANEL_HEIGHT })),
    xAxis: panels.map((_, i) => ({
      type: 'value',
      gridIndex: i,
      max: Math.ceil(Math.max(...panels.map(({ timeline }) => timeline?.points.at(-1)?.[0] ?? 0)) / 1000),
      axisLabel: { formatter: '{value} s', show: i === panels.length - 1 },
      splitLine: { show: false },
    })),
    yAxis: panels.map((_, i) => ({
      type: 'log',
      gridIndex: i,
      min: 0.3,
      max: 10 ** Math.ceil(Math.log10(highest)),
      axisLabel: { formatter: '{value} ms' },
    })),
    series: panels.map(({ timeline }, i) => ({
      type: 'scatter',
      xAxisIndex: i,
      yAxisIndex: i,
      symbol: 'rect',
      symbolSize: 2.5,
      // One path for all dots; separate elements take a megabyte.
      large: true,
      largeThreshold: 0,
      itemStyle: { color: COLORS[i % COLORS.length] as string },
      data: (timeline?.points ?? []).map(([ms, took]) => [ms / 1000, took]),
      markLine: {
        symbol: 'none',
        silent: true,
        label: { show: false },
        lineStyle: { color: '#999', type: 'solid', width: 1 },
        data: (timeline?.reloadsAtMs ?? []).map((ms) => ({ xAxis: ms / 1000 })),
      },
    })),
  })
}

/** certswap first, then the others; all with the same material. */
function timelinesOf(result: BenchResult): Row[] {
  return comparedRows(result).filter(({ timeline, variant }) => timeline && !NOT_DRAWN.includes(variant))
}

/** Shown only in tables: the first equals `naive`, the second is off the scale. */
const NOT_DRAWN = ['naive-watch', 'restart']

function gapChart(result: BenchResult): Chart | undefined {
  const rows = rowsOf(result, 'gap')
  if (rows.length === 0) return undefined
  const scenarios = distinct(rows.map(({ scenario }) => scenario))
  const series = [
    { name: 'certswap', variant: 'certswap', figure: 'gapMs' },
    { name: 'certswap: nothing going on', variant: 'certswap', figure: 'controlGapMs' },
    { name: 'naive', variant: 'naive', figure: 'gapMs' },
  ]
  const title = 'Longest event-loop gap of a reload, by material'
  return render('gap', title, 120 + scenarios.length * 60, {
    title: heading(title, 'milliseconds, log scale, medians'),
    legend: { top: 56, textStyle: TEXT },
    grid: { left: 300, right: 70, top: 92, bottom: 30 },
    xAxis: { type: 'log', min: 0.1, axisLabel: { formatter: '{value} ms' } },
    yAxis: { type: 'category', data: scenarios, inverse: true },
    series: series.map(({ name, variant, figure }, i) => ({
      type: 'bar',
      name,
      itemStyle: { color: [COLORS[0], '#bbb', COLORS[1]][i] as string },
      label: { show: true, position: 'right', formatter: ({ value }) => Number(value).toPrecision(3) },
      data: scenarios.map((scenario) => medianIn(rows, scenario, variant, figure) ?? null),
    })),
  })
}

function curveChart(result: BenchResult, curve: string): Chart | undefined {
  const all = [...rowsOf(result, 'curves'), ...rowsOf(result, 'hosts')]
  const rows = all.filter(({ scenario }) => pointOf(scenario).curve === curve)
  if (rows.length === 0) return undefined
  const title = `Longest turn of a reload, by the number of ${curve}`
  return render(`curve-${curve.toLowerCase()}`, title, 340, {
    title: heading(title, 'milliseconds, both scales logarithmic, medians'),
    legend: { top: 56, textStyle: TEXT },
    grid: { left: 70, right: 30, top: 92, bottom: 40 },
    xAxis: { type: 'log', name: curve, nameLocation: 'middle', nameGap: 26 },
    yAxis: { type: 'log', axisLabel: { formatter: '{value} ms' } },
    series: distinct(rows.map(({ variant }) => variant)).map((variant) => ({
      type: 'line',
      name: variant,
      symbolSize: 6,
      data: rows
        .filter((row) => row.variant === variant)
        .map((row) => [pointOf(row.scenario).x, medianOf(row, 'ownHeldMs') ?? Number.NaN])
        .sort(([a = 0], [b = 0]) => a - b),
    })),
  })
}

function wireChart(result: BenchResult): Chart | undefined {
  const rows = rowsOf(result, 'wire').filter(({ variant }) => variant === 'certswap')
  if (rows.length === 0) return undefined
  const phases = {
    prepareMs: 'prepare (worker)',
    stageMs: 'stage',
    commitMs: 'commit',
    rest: 'call and handshake',
  }
  const partOf = ({ figures }: Row, phase: string) => {
    const of = (name: string) => figures[name]?.median ?? 0
    return phase === 'rest'
      ? Math.max(0, of('seenMs') - of('prepareMs') - of('stageMs') - of('commitMs'))
      : of(phase)
  }
  const title = 'Files replaced until a client is shown the new certificate'
  return render('wire', title, 130 + rows.length * 34, {
    title: heading(title, 'certswap, milliseconds, medians by phase'),
    legend: { top: 56, textStyle: TEXT },
    grid: { left: 320, right: 40, top: 92, bottom: 30 },
    xAxis: { type: 'value', axisLabel: { formatter: '{value} ms' } },
    yAxis: { type: 'category', inverse: true, data: rows.map(({ scenario }) => scenario) },
    series: Object.entries(phases).map(([phase, name]) => ({
      type: 'bar',
      stack: 'all',
      name,
      data: rows.map((row) => partOf(row, phase)),
    })),
  })
}

function peersChart(result: BenchResult): Chart | undefined {
  const rows = comparedRows(result)
  if (rows.length === 0) return undefined
  const scenario = rows[0]?.scenario
  const title = 'Handshake p99 without reloads and at one reload per second'
  const bars = { idleHandshakeP99Ms: 'no reloads', at1HandshakeP99Ms: '1 reload/s' }
  return render('peers', title, 130 + rows.length * 44, {
    title: heading(title, `${scenario}; milliseconds, medians`),
    legend: { top: 56, textStyle: TEXT },
    grid: { left: 320, right: 60, top: 92, bottom: 30 },
    xAxis: { type: 'value', axisLabel: { formatter: '{value} ms' } },
    yAxis: { type: 'category', inverse: true, data: rows.map(({ variant }) => variant) },
    series: Object.entries(bars).map(([figure, name], i) => ({
      type: 'bar',
      name,
      itemStyle: { color: ['#bbb', COLORS[0]][i] as string },
      label: { show: true, position: 'right', formatter: ({ value }) => Number(value).toPrecision(3) },
      data: rows.map(({ figures }) => figures[figure]?.median ?? null),
    })),
  })
}

function memoryChart(result: BenchResult): Chart | undefined {
  const [row] = rowsOf(result, 'memory')
  if (!row?.curve) return undefined
  const title = 'Resident memory over many reloads'
  return render('memory', title, 300, {
    title: heading(title, `${row.scenario}; MiB after a full garbage collection in every thread`),
    grid: { left: 70, right: 30, top: 70, bottom: 40 },
    xAxis: { type: 'value', name: 'reloads', nameLocation: 'middle', nameGap: 26 },
    yAxis: { type: 'value', min: 0, axisLabel: { formatter: '{value} MiB' } },
    series: [{ type: 'line', data: row.curve.map(([at, value]) => [at, value]) }],
  })
}

function heading(
  text: string,
  subtext: string,
): { text: string; subtext: string; left: number; textStyle: object } {
  return { text, subtext, left: 10, textStyle: { ...TEXT, fontSize: 15 } }
}

function rowsOf(result: BenchResult, name: string): readonly Row[] {
  return result.scopes.find((scope: ScopeResult) => scope.name === name)?.rows ?? []
}

function medianIn(
  rows: readonly Row[],
  scenario: string,
  variant: string,
  figure: string,
): number | undefined {
  const found = rows.find((row) => row.scenario === scenario && row.variant === variant)
  return found && medianOf(found, figure)
}

function medianOf({ figures }: Row, figure: string): number | undefined {
  return figures[figure]?.median
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)]
}
