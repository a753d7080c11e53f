/* The tasks of a worker thread. A thread imports this module, by its path or as a part of a bundle. */

import { prepareHosts } from './hosts/prepare-hosts.js'
import { sealHosts } from './hosts/seal-hosts.js'
import { judgePeers } from './judge/judge-peers.js'
import { prepare } from './prepare.js'
import type { WorkerTasks } from './protocol/tasks.js'
import { readText } from './read/read-text.js'
import { verify } from './verify.js'

export { judgePeers, prepare, prepareHosts, readText, sealHosts, verify }

;({ judgePeers, prepare, prepareHosts, readText, sealHosts, verify }) satisfies WorkerTasks
