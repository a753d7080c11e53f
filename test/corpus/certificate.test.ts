import { certificateDamage, certificateForms, combinedFile } from './rows/certificate.js'
import { runCorpus } from './run-corpus.js'

runCorpus([certificateForms, combinedFile, certificateDamage])
