import type { Scope } from '../bench.js'
import { controlScope } from './control.js'
import { cpuScope } from './cpu.js'
import { curvesScope } from './curves.js'
import { gapScope } from './gap.js'
import { hostsScope } from './hosts.js'
import { idleScope } from './idle.js'
import { loadScope } from './load.js'
import { memoryScope } from './memory.js'
import { microScope } from './micro.js'
import { onDemandScope } from './on-demand.js'
import { peersScope } from './peers.js'
import { rotationsScope } from './rotations.js'
import { wireScope } from './wire.js'

/** In the order in which they are measured. */
export const SCOPES: readonly Scope[] = [
  gapScope,
  cpuScope,
  wireScope,
  loadScope,
  peersScope,
  idleScope,
  memoryScope,
  rotationsScope,
  controlScope,
  curvesScope,
  hostsScope,
  onDemandScope,
  microScope,
]
