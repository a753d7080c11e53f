export { printable, printableJson } from '../../workers/printable.js'
