import type { ContextOptions, Policy } from '../../workers/protocol/material.js'
import type { Logger } from '../base/logger.js'

/**
 * Options of {@link createReloadEngine}. A relative path is resolved once, when it is given, by the working directory of the
 * process at that moment; `process.chdir()` changes nothing afterwards.
 */
export interface ReloadEngineOptions {
  /** PEM file of the leaf and its chain; an array (with `key` of equal length) for an RSA and an ECDSA pair. */
  readonly cert?: string | readonly string[]
  /** PEM file of the private key: PKCS#8 or traditional, encrypted or not; may be the same file as `cert`. */
  readonly key?: string | readonly string[]
  /** PKCS#12 file, instead of `cert` and `key`. */
  readonly pfx?: string
  /** Passphrase of the key or the PKCS#12 file; `{ file }` is read again at every load, without one line end at its end. */
  readonly passphrase?: string | { readonly file: string }
  /**
   * Certificates by server name (SNI), beside the default one: files for each name (`*.` stands for one label), or paths
   * and fast-glob pattern(s) of directories and certificate files. A directory is one host with `tls.crt` and `tls.key`,
   * `fullchain.pem` and `privkey.pem`, or `fullchain.cer` and `NAME.key` (acme.sh); otherwise each `NAME.crt`, `NAME.cer` or
   * `NAME.pem` beside a `NAME.key` is one (lego, Caddy). A host serves the DNS names in its certificate, and comes and goes
   * with its files. If two claim a name, the one that lives longer serves it.
   * Names in Unicode are converted to ASCII. An IP address is refused (`OPTIONS_INVALID`): clients never send one as server
   * name (RFC 6066, section 3).
   */
  readonly hosts?: Readonly<Record<string, HostFiles>> | string | readonly string[]
  /**
   * What a client gets that asks for a name no host has: the default certificate, or no handshake.
   * @defaultValue `'default'`
   */
  readonly unknownHosts?: 'default' | 'refuse'
  /**
   * Contexts of hosts kept ready, 1 to 1000000; the least recently used is built anew when it is asked for.
   * @defaultValue `1000`
   */
  readonly hostCacheSize?: number
  /** PEM file(s) of trust anchors for client certificates. */
  readonly ca?: string | readonly string[]
  /** Directories of trust anchors, or fast-glob patterns of files. Hidden files, backups and `*.tmp` are left out. */
  readonly caDir?: string | readonly string[]
  /** PEM file(s) of certificate revocation lists; needs `ca` or `caDir`. */
  readonly crl?: string | readonly string[]
  /** PEM file of Diffie-Hellman parameters, at least 1,024 bits. */
  readonly dhparam?: string
  /** The other secure-context options: frozen, and the same in every generation. */
  readonly tls?: ContextOptions
  /**
   * Ask clients for a certificate; needs `ca` or `caDir`, because the public roots are never silently trusted.
   * @defaultValue `false`
   */
  readonly requestCert?: boolean
  /**
   * Refuse clients whose certificate does not verify; without effect unless `requestCert`.
   * @defaultValue `true`
   */
  readonly rejectUnauthorized?: boolean
  /**
   * Seconds between checks of the files; `0` is off, fractions are allowed, at most 2147483647.
   * @defaultValue `0`
   */
  readonly autoReloadInterval?: number
  /** What is refused and what is only reported. */
  readonly policy?: Partial<Omit<Policy, 'unrelatedChain'>>
  /** Session tickets: where their keys come from, and how often these change. */
  readonly tickets?: TicketOptions
  /**
   * After a swap, dial every attached listening server from a worker and compare the certificate that it shows. If the
   * attached server shows another one, or refuses every handshake, and did not before, everything is rolled back
   * (`SERVED_MISMATCH`). What the application's own contexts or another process show is a warning (`SERVED_OTHER`). Before
   * the first swap, each listener is dialled once more. A server that wants client certificates sees these connections as
   * clients without one; a server of HTTP/2 alone sees a session without a request. They are the only handshakes that are tried with a renewal which is like the pair
   * before it in all but key and dates.
   * @defaultValue `true`
   */
  readonly verifyServed?: boolean
  /**
   * Earlier generations that `rollback()` can go back to, 0 to 100; their private keys stay in memory for it.
   * @defaultValue `3`
   */
  readonly historySize?: number
  /**
   * Days before an end at which `expiring` is emitted, 0 to 36500 each: of leaves, of certificates of their chains, of trust
   * anchors and of revocation lists. The first comes never earlier than when a quarter of the lifetime is left, the second an
   * eighth, and half as much for each further one: a certificate of 24 hours is reported 6, 3 and 1.5 hours before its end. The
   * end itself is always reported.
   * @defaultValue `[30, 7, 1]`
   */
  readonly expiryWarningDays?: readonly number[]
  /** Limits of the worker thread. */
  readonly worker?: WorkerOptions
  /**
   * A pino logger, or the four methods of one.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** The pair of one host, as paths of PEM files. */
export interface HostFiles {
  readonly cert: string
  readonly key: string
}

/** Where session-ticket keys come from. They always change with the trust, whatever is set here. */
export interface TicketOptions {
  /**
   * File of at least 32 random bytes, shared by replicas behind one load balancer, so that they resume each other's
   * sessions; re-read like the other material.
   * @defaultValue a random secret of this engine, for its life
   */
  readonly secretFile?: string
  /**
   * Hours after which the keys change, 1 to 8760, counted from the epoch, so that replicas change them together; a
   * client that was away longer makes a full handshake.
   * @defaultValue never
   */
  readonly rotateHours?: number
}

/** Limits of the worker thread that prepares the material. */
export interface WorkerOptions {
  /**
   * Milliseconds that a thread may work on one task before the task is given up (`WORKER_TIMEOUT`) and the thread ended;
   * 10 to 2147483647. The time in the queue, and the start of a thread, are not counted.
   * @defaultValue `10000`
   */
  readonly timeoutMs?: number
  /**
   * Milliseconds without work after which the thread ends; the next check starts another. Up to 2147483647. With an
   * interval that is no longer, one thread is kept.
   * @defaultValue `60000`
   */
  readonly idleTimeoutMs?: number
  /**
   * Heap limit of the thread in MiB, at least 32; past it a preparation fails with `WORKER_CRASHED`.
   * @defaultValue `256`
   */
  readonly memoryLimitMb?: number
  /**
   * Largest file in bytes, for certificates and keys; 16 times as much for `ca`, `caDir` entries and `crl`.
   * @defaultValue `1048576` (1 MiB)
   */
  readonly maxFileBytes?: number
  /**
   * Largest revocation list in bytes of DER; a file of `crl` may hold several. Node loads a list in one call on the main
   * thread, which holds the event loop for 22 to 42 ms for each MiB; a larger one is refused (`CRL_TOO_LARGE`).
   * @defaultValue `524288` (512 KiB: about 14,000 revoked certificates)
   */
  readonly maxCrlBytes?: number
}

/** Options that hold for the whole life of an engine. */
export type FixedOption =
  | 'logger'
  | 'worker'
  | 'tickets'
  | 'historySize'
  | 'hostCacheSize'
  | 'expiryWarningDays'

/** What can be changed at run time; `undefined` takes an option back to its default. */
export type EngineChanges = {
  readonly [K in Exclude<keyof ReloadEngineOptions, FixedOption>]?: ReloadEngineOptions[K] | undefined
}
