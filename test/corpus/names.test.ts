import { keptNames, lostNames, requiredNames } from './rows/names.js'
import { runCorpus } from './run-corpus.js'

runCorpus([requiredNames, lostNames, keptNames])
