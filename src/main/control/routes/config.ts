import type { EngineChanges } from '../../api/options.js'
import type { ReloadEngine } from '../../api/reload-engine.js'
import { ReloadError } from '../../base/errors.js'
import { isGivenAsFile, MATERIAL_ROWS } from '../../base/material-options.js'
import { RequestProblem } from '../problem-document.js'
import { resultAnswer } from '../result-answer.js'
import type { Route } from '../route.js'
import { waitForResult } from '../wait-for-result.js'

/** Each setting, and the option of the engine that it is. */
const SETTINGS: Readonly<Record<string, ChangeName>> = {
  auto_reload_interval: 'autoReloadInterval',
  ...Object.fromEntries(
    MATERIAL_ROWS.flatMap(({ name, setting }) => (setting === null ? [] : [[setting, name as ChangeName]])),
  ),
  request_cert: 'requestCert',
  reject_unauthorized: 'rejectUnauthorized',
}

const GIVEN_AS_FILE: ReadonlySet<ChangeName> = new Set(
  MATERIAL_ROWS.flatMap(({ name, kind }) => (isGivenAsFile(kind) ? [name as ChangeName] : [])),
)

type ChangeName = keyof EngineChanges

/** `PATCH /config`: changes settings at run time, all of a request or none. */
export function configRoute(engine: ReloadEngine, timeoutMs: number): Route {
  return {
    method: 'PATCH',
    path: '/config',
    query: {},
    takesBody: true,
    statuses: [200, 415, 422, 500, 503, 504],
    async handle({ body, signal }) {
      const pass = update(engine, changesIn(body))
      const { json, ...answer } = resultAnswer(await waitForResult(pass, timeoutMs, signal), 'reloaded')
      // The interval is the only setting without an effect on the other fields.
      return { ...answer, json: { ...json, auto_reload_interval: engine.autoReloadInterval } }
    },
  }
}

async function update(engine: ReloadEngine, changes: EngineChanges) {
  try {
    return await engine.update(changes)
  } catch (error) {
    if (!(error instanceof ReloadError) || error.code !== 'OPTIONS_INVALID') throw error
    throw refusal(error.message)
  }
}

/** The engine checks the values; `null` resets a setting to its default. */
function changesIn(body: unknown): EngineChanges {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw refusal('expected an object')
  const unknown = Object.keys(body).filter((name) => !Object.hasOwn(SETTINGS, name))
  if (unknown.length > 0) {
    throw refusal(`unknown setting ${unknown.join(', ')}: expected ${Object.keys(SETTINGS).join(', ')}`)
  }
  if (Object.keys(body).length === 0) throw refusal('expected at least one setting')
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      const option = SETTINGS[name] as ChangeName
      if (value === null) return [option, undefined]
      return [option, GIVEN_AS_FILE.has(option) ? { file: value } : value]
    }),
  )
}

function refusal(detail: string): RequestProblem {
  return new RequestProblem('invalid-config', `${detail}; nothing was changed`, { code: 'OPTIONS_INVALID' })
}
