import { anchoredPurposes, loneLeaf, noTutorials, purposes } from './rows/purpose.js'
import { runCorpus } from './run-corpus.js'

runCorpus([purposes, anchoredPurposes, noTutorials, loneLeaf])
