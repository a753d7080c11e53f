import { halfRenewed, keyDamage, keyForms, passphraseFile } from './rows/key.js'
import { runCorpus } from './run-corpus.js'

runCorpus([keyForms, keyDamage, halfRenewed, passphraseFile])
