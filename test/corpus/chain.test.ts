import {
  chain,
  completeChain,
  knownIssuer,
  servedWeakness,
  toleratedWeakness,
  weakness,
} from './rows/chain.js'
import { runCorpus } from './run-corpus.js'

runCorpus([chain, completeChain, knownIssuer, weakness, toleratedWeakness, servedWeakness])
