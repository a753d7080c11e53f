import { HEAVY, LARGE_BUNDLE, PLAIN, withAuthorities } from './material/shapes.js'
import { gapScenario } from './scopes/gap.js'
import { idleScenario } from './scopes/idle.js'
import { wireScenario } from './scopes/wire.js'
import { figure, ofOnlyRow, ratio, type Target } from './targets.js'

/**
 * Bounds that a change must keep: ratios within one run and counts, never times, so that they hold on any machine. They are
 * wide: they detect a lost design property, not a regression of some percent.
 */
export const GATES: readonly Target[] = [
  {
    title: 'longest turn of naive over ours: RSA-4096, encrypted key, 500 CAs, 4 servers',
    ...{ kind: 'at least', bound: 25, unit: 'x' },
    measured: (result) => [
      ratio(
        figure(result, 'gap', gapScenario(HEAVY, 4), 'heldMs', 'naive'),
        figure(result, 'gap', gapScenario(HEAVY, 4), 'leastOwnHeldMs'),
      ),
    ],
  },
  {
    title: 'main-thread CPU of a plain reload over one bare createSecureContext',
    ...{ kind: 'at most', bound: 5, unit: 'x' },
    measured: (result) => [figure(result, 'cpu', PLAIN.title, 'ratioToBare')],
  },
  {
    title: 'staging a leaf-only renewal with 500 CAs over the same with 1',
    ...{ kind: 'at most', bound: 5, unit: 'x' },
    measured: (result) => [
      ratio(
        figure(result, 'wire', wireScenario(LARGE_BUNDLE, false), 'stageMs'),
        figure(result, 'wire', wireScenario(withAuthorities(1), false), 'stageMs'),
      ),
    ],
  },
  {
    title: 'main-thread CPU of a check that finds nothing new over that of a reload',
    ...{ kind: 'at most', bound: 0.5, unit: 'x' },
    measured: (result) => [
      ratio(figure(result, 'idle', idleScenario(2), 'mainMs'), figure(result, 'cpu', PLAIN.title, 'mainMs')),
    ],
  },
  {
    title: 'memory after 400 reloads over memory after 100',
    ...{ kind: 'at most', bound: 1.3, unit: 'x' },
    measured: (result) => ofOnlyRow(result, 'memory', ['rssRatio']),
  },
  {
    title: 'open files after 400 reloads over open files after 100',
    ...{ kind: 'at most', bound: 1.2, unit: 'x' },
    measured: (result) => {
      const [before, after] = ofOnlyRow(result, 'memory', ['openFilesBefore', 'openFilesAfter'])
      return [ratio(after, before)]
    },
  },
  {
    title: 'failed handshakes, lost sessions, failed requests, closed connections, servers that disagreed',
    ...{ kind: 'at most', bound: 0, unit: '' },
    measured: (result) =>
      ofOnlyRow(result, 'rotations', [
        ...['handshakesFailed', 'sessionsLost', 'requestsFailed', 'connectionsClosed', 'tornSwaps'],
      ]),
  },
]
