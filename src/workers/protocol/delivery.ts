import type { Role } from './roles.js'

/*
 * Material of a source other than files, as the main thread passes it to the worker. Ids have the form `NAME:PART`, so that
 * they never equal an absolute path.
 */

/** Roles that a source can deliver. */
export type DeliveredRole = Extract<Role, 'cert' | 'key' | 'ca' | 'domain-ca' | 'crl'>

/** One piece of delivered material. */
export interface DeliveredItem {
  readonly role: DeliveredRole
  /** The same for both roles of a bundle. */
  readonly id: string
  /** PEM, or concatenated DER. A copy of the engine's own, which the worker overwrites in its thread. */
  readonly bytes: Uint8Array
  /** With the role `domain-ca`: the SPIFFE trust domain. */
  readonly domain?: string
}

/** All items of an engine, or of one host, as of one moment. */
export interface DeliveredSet {
  /** Name of the source: the prefix of every id. */
  readonly source: string
  /** Differs whenever a private key may differ. */
  readonly version: string
  readonly items: readonly DeliveredItem[]
}

/** One host in {@link DeliveredHosts.list}. */
export interface DeliveredHostName {
  /** Its server name, which is also the id of the host. */
  readonly name: string
  readonly version: string
}

/** The hosts of a delivery. */
export interface DeliveredHosts {
  /** Name of the source. */
  readonly source: string
  /** {@link DeliveredHostName} of every host, as shared JSON: enough to find those that changed. */
  readonly list: Uint8Array
  /** The material of each host, by name. Only that of changed hosts is sent to the worker. */
  readonly sets: ReadonlyMap<string, DeliveredSet>
}

/** The id of a part of a source, and of one host of it. */
export function deliveredId(source: string, part: string): string {
  return `${source}:${part}`
}

/** The id of a part of a host. */
export function deliveredHostId(source: string, name: string, part: string): string {
  return deliveredId(source, `hosts/${name}/${part}`)
}
