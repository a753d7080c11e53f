import { reading, readingBelow } from './rows/reading.js'
import { runCorpus } from './run-corpus.js'

runCorpus([reading, readingBelow])
