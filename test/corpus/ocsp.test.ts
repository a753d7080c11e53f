import { leftOut, promised, refused } from './rows/ocsp.js'
import { runCorpus } from './run-corpus.js'

runCorpus([leftOut, refused, promised])
