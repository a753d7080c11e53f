import { InvalidArgumentError } from 'commander'

/* The values of arguments that commander takes as text. Each function throws what commander prints as a usage error. */

export function seconds(value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !(number >= 0)) throw new InvalidArgumentError('Expected seconds, 0 or more.')
  return number
}

export function positiveSeconds(value: string): number {
  const number = seconds(value)
  if (number < 0.1 || number > MAX_SECONDS) {
    throw new InvalidArgumentError(`Expected seconds, 0.1 to ${MAX_SECONDS}.`)
  }
  return number
}

const MAX_SECONDS = 86_400

export function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new InvalidArgumentError('Expected a whole number from 1.')
  return Number(value)
}

export function processCount(value: string): number {
  const count = wholeNumber(value)
  if (count > 256) throw new InvalidArgumentError('Expected a whole number from 1 to 256.')
  return count
}

export function patience(value: string): number {
  const count = wholeNumber(value)
  if (count > 1_000) throw new InvalidArgumentError('Expected a whole number from 1 to 1000.')
  return count
}

export function wholeDays(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value))
    throw new InvalidArgumentError('Expected a whole number of days, 1 to 9999.')
  return Number(value)
}
