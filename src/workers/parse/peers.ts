import { ProblemError } from '../base/problem.js'
import { MAX_RULES, peerRuleIn } from '../formats/peer-rules.js'

/**
 * The rules in a file of peers: JSON, `{ "allow": [{ "uri": "spiffe://example.org/web" }] }`.
 *
 * @returns the normal form of each.
 * @throws ProblemError `PEERS_INVALID`, or `PEERS_EMPTY` if the file allows no peer.
 */
export function readPeerRules(bytes: Buffer, path: string): string[] {
  const { allow, ...others } = objectIn(bytes, path)
  if (Object.keys(others).length > 0) throw invalid(path, 'a member is unknown; expected only "allow"')
  if (!Array.isArray(allow)) throw invalid(path, 'expected the member "allow", an array of rules')
  if (allow.length > MAX_RULES)
    throw invalid(path, `expected at most ${MAX_RULES} rules, got ${allow.length}`)
  if (allow.length === 0) {
    const message = `${path} allows no peer, so every client would be refused; name one, or remove the option "peers"`
    throw new ProblemError('PEERS_EMPTY', message, path)
  }
  return allow.map((given, i) => {
    const read = peerRuleIn(given)
    if ('rule' in read) return read.rule
    throw invalid(path, `rule ${i + 1} of ${allow.length}: ${read.expected}`)
  })
}

function objectIn(bytes: Buffer, path: string): Record<string, unknown> {
  const text = bytes.toString()
  try {
    const parsed: unknown = JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
  } catch (error) {
    throw invalid(path, `not JSON${placeOf(error, text)}`)
  }
  throw invalid(path, 'expected an object: { "allow": [{ "uri": "spiffe://example.org/web" }] }')
}

/** Without the text that the parser quotes: messages contain nothing of a file. */
function placeOf(error: unknown, text: string): string {
  const [, position] = / at position (\d+)/.exec(String(error)) ?? []
  if (position === undefined) return ''
  return ` at line ${text.slice(0, Number(position)).split('\n').length}`
}

function invalid(path: string, what: string): ProblemError {
  return new ProblemError('PEERS_INVALID', `${path} is not a list of peers: ${what}`, path)
}
