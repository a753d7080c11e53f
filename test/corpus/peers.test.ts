import { peers } from './rows/peers.js'
import { runCorpus } from './run-corpus.js'

runCorpus([peers])
