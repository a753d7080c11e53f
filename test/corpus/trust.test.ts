import { trustBundle, trustDirectory, trustPattern, unaskedTrust } from './rows/trust.js'
import { runCorpus } from './run-corpus.js'

runCorpus([trustBundle, unaskedTrust, trustDirectory, trustPattern])
