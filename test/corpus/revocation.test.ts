import { revocation } from './rows/revocation.js'
import { runCorpus } from './run-corpus.js'

runCorpus([revocation])
