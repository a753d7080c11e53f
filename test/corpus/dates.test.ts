import { dates, shorterLife, toleratedDates, wideSkew } from './rows/dates.js'
import { runCorpus } from './run-corpus.js'

runCorpus([dates, shorterLife, toleratedDates, wideSkew])
