/* The report as a reader sees it, in Debian's browser. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { chromium, type Page } from 'playwright-core'

import { tempDir } from '../../support/files/temp-dir.js'
import { benchResult } from './bench-result.js'

const CHROMIUM = '/usr/bin/chromium'
const needsChromium = existsSync(CHROMIUM) ? false : 'needs Chromium: apt-get install chromium'

const CHARTS = ['latency', 'gap', 'curve-cas', 'curve-servers', 'curve-hosts', 'wire', 'peers', 'memory']

test('the report shows every chart without browser console errors', {
  skip: needsChromium,
}, async (t) => {
  const { page, complaints } = await open(t, makeReport(t))
  assert.deepEqual(
    await drawnCharts(page),
    CHARTS.map((id) => `node-20.0.0-${id}`),
  )
  assert.deepEqual(complaints, [])
  const words = (await page.textContent('body')) ?? ''
  assert.match(words, /a processor <of> some & kind/)
  assert.match(words, /A quick run/)
})

test('the report states that a target was not measured', {
  skip: needsChromium,
}, async (t) => {
  const { page } = await open(t, makeReport(t))
  const words = await page.locator('tr', { hasText: 'sessions lost' }).first().textContent()
  assert.match(words ?? '', /not measured/)
})

function makeReport(t: TestContext): string {
  const dir = tempDir(t)
  const [result, page] = [join(dir, 'result.json'), join(dir, 'report.html')]
  writeFileSync(result, JSON.stringify(benchResult()))
  const entry = fileURLToPath(new URL('../../bench/make-report.js', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [entry, '--to', page, result], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return page
}

/** `complaints` holds console messages, errors and network requests of the page. */
async function open(t: TestContext, path: string): Promise<{ page: Page; complaints: string[] }> {
  const flags = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking'
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...flags.split(' '), '--disable-component-update', '--disable-sync'],
  })
  t.after(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(request.url())
  })
  await page.goto(pathToFileURL(path).href)
  return { page, complaints }
}

/** Charts with a heading, an extent, and more than the lines of an empty one. */
async function drawnCharts(page: Page): Promise<string[]> {
  const drawn: string[] = []
  for (const chart of await page.locator('figure.chart').all()) {
    const box = await chart.locator('svg').boundingBox()
    const shapes = await chart.locator('svg path').count()
    const words = await chart.locator('svg text').count()
    const whole = box !== null && box.width > 300 && box.height > 150 && shapes > 8 && words > 4
    if (whole) drawn.push((await chart.getAttribute('id')) ?? 'no id')
  }
  return drawn
}
