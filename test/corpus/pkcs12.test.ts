import { openPkcs12File, pkcs12File } from './rows/pkcs12.js'
import { runCorpus } from './run-corpus.js'

runCorpus([pkcs12File, openPkcs12File])
