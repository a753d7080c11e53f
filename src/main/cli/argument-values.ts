import { InvalidArgumentError } from 'commander'

import { MAX_PATIENCE, MAX_PROCESSES, MAX_SECONDS, MIN_SECONDS } from './limits.js'

/* Parsers of arguments, which commander passes as text. Each throws an error that commander prints as a usage error. */

export function seconds(value: string): number {
  const number = Number(value)
  if (value.trim() === '' || !(number >= 0)) throw new InvalidArgumentError('Expected seconds, 0 or more.')
  return number
}

export function positiveSeconds(value: string): number {
  const number = seconds(value)
  if (number < MIN_SECONDS || number > MAX_SECONDS) {
    throw new InvalidArgumentError(`Expected seconds, ${MIN_SECONDS} to ${MAX_SECONDS}.`)
  }
  return number
}

export function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new InvalidArgumentError('Expected a whole number from 1.')
  return Number(value)
}

export function processCount(value: string): number {
  return wholeNumberTo(MAX_PROCESSES, value)
}

export function patience(value: string): number {
  return wholeNumberTo(MAX_PATIENCE, value)
}

export function wholeDays(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value))
    throw new InvalidArgumentError('Expected a whole number of days, 1 to 9999.')
  return Number(value)
}

function wholeNumberTo(most: number, value: string): number {
  const count = wholeNumber(value)
  if (count > most) throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}.`)
  return count
}
