import type { PeerRule } from '../../workers/formats/peer-rules.js'
import type { ContextOptions, Policy, Purpose } from '../../workers/protocol/material.js'
import type { Logger } from '../base/logger.js'
import type { MaterialSource } from './source.js'

/**
 * Options of {@link createReloadEngine}. Relative paths are resolved once, against the working directory at the time of the
 * call; a later `process.chdir()` has no effect. Invalid options are refused with `OPTIONS_INVALID`, all in one message.
 */
export interface ReloadEngineOptions {
  /** PEM file of the leaf and its chain; an array for several pairs, for example RSA and ECDSA, with a `key` for each. */
  readonly cert?: string | readonly string[]
  /** PEM file of the private key: PKCS#8 or traditional format, optionally encrypted. May be the same file as `cert`. */
  readonly key?: string | readonly string[]
  /** PKCS#12 file, instead of `cert` and `key`. */
  readonly pfx?: string
  /** Passphrase of the key or PKCS#12 file. `{ file }` is re-read on every load; one trailing newline is stripped. */
  readonly passphrase?: string | { readonly file: string }
  /**
   * Certificates by server name (SNI), in addition to the default one: files for each name (`*.` stands for one label), or
   * fast-glob patterns of directories and certificate files. A directory is one host if it has `tls.crt` and `tls.key`,
   * `fullchain.pem` and `privkey.pem`, or `fullchain.cer` and `NAME.key` (acme.sh); otherwise each `NAME.crt`, `NAME.cer` or
   * `NAME.pem` with a `NAME.key` is one (lego, Caddy). A host serves the DNS names in its certificate, and is added and removed
   * with its files. If two hosts claim a name, the certificate that expires later is served.
   * Unicode names are converted to ASCII. An IP address is refused (`OPTIONS_INVALID`): clients never send one as server name
   * (RFC 6066, section 3).
   *
   * `{ onDemand }` requests the hosts from a source instead, each on the first handshake for its name.
   */
  readonly hosts?:
    | Readonly<Record<string, HostFiles>>
    | { readonly onDemand: OnDemandOptions }
    | string
    | readonly string[]
  /**
   * The response to a server name without a host: the default certificate, or a refused handshake.
   * @defaultValue `'default'`
   */
  readonly unknownHosts?: 'default' | 'refuse'
  /**
   * Number of cached TLS contexts of hosts, 1 to 1000000. The least recently used is evicted, and rebuilt when requested.
   * @defaultValue `1000`
   */
  readonly hostCacheSize?: number
  /**
   * PEM file(s) of the trust anchors that verify peers. For outgoing connections only, two words request public roots, alone or
   * among files; all are read again at each reload:
   *
   * - `'system'`: the certificate bundle of the operating system: the file of `SSL_CERT_FILE`, or the first well-known bundle.
   * - `'default'`: the roots that Node contains, and the file of `NODE_EXTRA_CA_CERTS`.
   *
   * An engine with public roots refuses every server that requests client certificates, with `OPTIONS_INVALID`. A file of such a
   * name is written as `./system`.
   * @defaultValue none: servers verify no clients, and outgoing connections trust what Node trusts by default
   */
  readonly ca?: string | readonly string[]
  /** Directories of trust anchors, or fast-glob patterns of files. Hidden files, backups and `*.tmp` are ignored. */
  readonly caDir?: string | readonly string[]
  /** PEM file(s) of certificate revocation lists; needs `ca` or `caDir`. */
  readonly crl?: string | readonly string[]
  /**
   * The only clients that may connect: those whose certificate has a name or key of a rule, in addition to its verification by
   * `ca`. Needs `requestCert`. Other verified clients are disconnected at the end of the handshake (`PEER_NOT_ALLOWED`), before
   * the application reads a byte. Without it, every verified client may connect.
   */
  readonly peers?: PeerOptions
  /** PEM file of Diffie-Hellman parameters, at least 1,024 bits. */
  readonly dhparam?: string
  /**
   * DER file of an OCSP response for the leaf, stapled to handshakes while it is current. A response that does not fit, such as
   * one for an earlier leaf, is left out with a warning (`policy.badOcsp`). Needs a single pair.
   */
  readonly ocsp?: string
  /** Other secure-context options, the same in every generation. */
  readonly tls?: ContextOptions
  /**
   * What the certificate is validated for: `server` needs the extended key usage serverAuth, and also serves outgoing connections;
   * `client` is for an engine of outgoing connections alone, and needs clientAuth. With `client`, `serverOptions()` and `attach()`
   * are refused, and VERIFY does not apply.
   * @defaultValue `'server'`
   */
  readonly purpose?: Purpose
  /**
   * Request a certificate from clients; needs `ca` or `caDir`, because the public roots are never silently trusted.
   * @defaultValue `false`
   */
  readonly requestCert?: boolean
  /**
   * Refuse clients whose certificate cannot be verified. Has an effect only with `requestCert`.
   * @defaultValue `true`
   */
  readonly rejectUnauthorized?: boolean
  /**
   * Seconds between checks of the files, 0 to 2147483647; fractions are allowed, `0` turns checks off.
   * @defaultValue `0`
   */
  readonly autoReloadInterval?: number
  /** Which problems are refused, and which are only reported. */
  readonly policy?: Partial<Omit<Policy, 'unrelatedChain' | 'purpose'>>
  /** The source and rotation of session-ticket keys. */
  readonly tickets?: TicketOptions
  /**
   * After a swap, dial every attached listening server from a worker and compare the certificate that it shows. If the server
   * shows another one, or refuses every handshake, and did not before, everything is reverted (`SERVED_MISMATCH`).
   * Certificates from the application's own contexts or another process are a warning (`SERVED_OTHER`). Before the first swap,
   * each listener is dialled once more. A server that requests client certificates sees these connections as clients without
   * one; a server with HTTP/2 only sees a session without a request. For a renewal that differs from the previous pair only in
   * key and dates, they are the only test handshakes.
   * @defaultValue `true`
   */
  readonly verifyServed?: boolean
  /**
   * Number of earlier generations that `rollback()` can restore, 0 to 100. Their private keys stay in memory.
   * @defaultValue `3`
   */
  readonly historySize?: number
  /**
   * Days before the expiry of a leaf, chain certificate, trust anchor or revocation list at which `expiring` is emitted, 0 to
   * 36500 each. The first warning is never emitted before only a quarter of the lifetime is left, the second an eighth, and
   * half as much for each further one: a certificate of 24 hours is reported 6, 3 and 1.5 hours before its end. Expiry itself
   * is always reported.
   * @defaultValue `[30, 7, 1]`
   */
  readonly expiryWarningDays?: readonly number[]
  /**
   * Supplier of the certificates, instead of the files `cert`, `key`, `pfx`, `passphrase` and `ocsp`: `certswap/https`,
   * `certswap/redis`, `certswap/spiffe`, or one of your own. `ca`, `caDir`, `crl`, `dhparam` and `tickets.secretFile` may be
   * combined with it; `hosts` may only be `{}`, which serves the hosts that it delivers. The engine closes it.
   */
  readonly source?: MaterialSource
  /**
   * Time limit of one call of the source in seconds, 0.1 to 3600.
   * @defaultValue `10`
   */
  readonly sourceTimeoutSeconds?: number
  /**
   * For how long `createReloadEngine` waits for the source, in seconds, 0.1 to 86400. Then it fails with the code of the last
   * problem. Until then, attempts are repeated, and the reason is logged.
   * @defaultValue `60`
   */
  readonly startTimeoutSeconds?: number
  /**
   * Keeps the delivery in service on disk, for a start without the source. Needs `source`.
   * @defaultValue none is kept
   */
  readonly lastGood?: LastGoodOptions
  /** Limits of the worker thread. */
  readonly worker?: WorkerOptions
  /**
   * A pino logger, or an object with its methods `debug`, `info`, `warn` and `error`.
   * @defaultValue pino at level `info`, to standard output
   */
  readonly logger?: Logger
}

/** Rules about clients, or the JSON file of them, `{ "allow": [...] }`, which is reloaded like a certificate. 1 to 100000 rules. */
export type PeerOptions = { readonly allow: readonly PeerRule[] } | { readonly file: string }

/** The pair of one host: paths of PEM files. */
export interface HostFiles {
  readonly cert: string
  readonly key: string
  /** DER file of an OCSP response for its leaf. */
  readonly ocsp?: string
}

/**
 * Hosts that are requested from a source on the first handshake for their name, and kept current as long as clients ask for
 * them. The handshake waits for the answer. If there is none, it gets the default certificate, or is refused
 * (`unknownHosts`). Only the answer `none` removes a host that is in service; a failure never does.
 */
export interface OnDemandOptions {
  /** A source with the method `readHost`; `true` for the one of the option `source`. The engine closes it. */
  readonly source: MaterialSource | true
  /**
   * Names that may be requested: DNS names, `*.` and a DNS name for all names below it (with any number of labels), or `*` for
   * every name. Others cost neither a query nor memory. Unicode names are converted to ASCII.
   */
  readonly allow: readonly string[]
  /**
   * Number of names that are requested at the same time for clients, 1 to 10000. A name beyond it is not requested.
   * @defaultValue `100`
   */
  readonly maxPending?: number
  /**
   * How long a handshake waits at most, and the time limit of a query, in milliseconds, 10 to 30000.
   * @defaultValue `3000`
   */
  readonly timeoutMs?: number
  /**
   * How long a name that does not exist is not requested again, in seconds, 0 to 86400. At most 10,000 names are remembered.
   * @defaultValue `60`
   */
  readonly negativeSeconds?: number
  /**
   * Number of hosts in service, 1 to 1000000. The least recently used is removed, and requested again when a client asks for it.
   * @defaultValue `10000`
   */
  readonly maxHosts?: number
  /**
   * How often a host in use is compared with the source, in seconds, 1 to 86400. A push of the source causes it at once.
   * @defaultValue `60`
   */
  readonly refreshSeconds?: number
}

/** Options of session-ticket keys, which also change whenever trust changes. */
export interface TicketOptions {
  /**
   * File with at least 32 random bytes, shared by replicas behind one load balancer, so that they can resume each other's
   * sessions. Re-read like the other material.
   * @defaultValue a random secret for the lifetime of the engine
   */
  readonly secretFile?: string
  /**
   * Hours after which the keys change, 1 to 8760, counted from the epoch, so that replicas change them at the same time. A
   * ticket from before the change needs a full handshake.
   * @defaultValue never
   */
  readonly rotateHours?: number
}

/** Where the delivery in service is kept. */
export interface LastGoodOptions {
  /**
   * A directory that no other engine uses, created with mode 0700 if its parent exists. It holds `last-good` and
   * `last-good.seq`, both with mode 0600.
   */
  readonly dir: string
  /**
   * File with a key of 32 bytes, as such, as 64 hexadecimal digits or as base64: then the files are encrypted with AES-256-GCM.
   * Without it, they are refused when another user can read or replace them (`LAST_GOOD_OPEN`).
   */
  readonly keyFile?: string
  /**
   * For how long a start asks the source alone, in seconds, 0.1 to 3600; never longer than `startTimeoutSeconds`.
   * @defaultValue `5`
   */
  readonly afterSeconds?: number
}

/** Limits of the worker thread that prepares the material. */
export interface WorkerOptions {
  /**
   * Time limit of one task in milliseconds, 10 to 2147483647. After it the task fails (`WORKER_TIMEOUT`) and the thread is
   * ended. Time in the queue and the start of a thread do not count.
   * @defaultValue `10000`
   */
  readonly timeoutMs?: number
  /**
   * Milliseconds without a task after which the thread ends, 0 to 2147483647; the next check starts another one. If the reload
   * interval is not longer, one thread keeps running.
   * @defaultValue `60000`
   */
  readonly idleTimeoutMs?: number
  /**
   * Heap limit of the thread in MiB, at least 32. If it is exceeded, the task fails with `WORKER_CRASHED`.
   * @defaultValue `256`
   */
  readonly memoryLimitMb?: number
  /**
   * Maximum size of a certificate or key file in bytes, 1 to 1073741824; 16 times as much for `ca`, `caDir` entries and `crl`.
   * Larger files are refused (`FILE_TOO_LARGE`).
   * @defaultValue `1048576` (1 MiB)
   */
  readonly maxFileBytes?: number
  /**
   * Maximum size of a revocation list in bytes of DER, 1 to 1073741824; a file of `crl` may contain several. Node loads a list
   * in one call on the main thread, which blocks the event loop for 22 to 42 ms per MiB. Larger lists are refused
   * (`CRL_TOO_LARGE`).
   * @defaultValue `524288` (512 KiB: about 14,000 revoked certificates)
   */
  readonly maxCrlBytes?: number
}

/** Options that cannot change after the start of an engine: `update()` refuses them. */
export const FIXED_OPTIONS = [
  'purpose',
  'logger',
  'worker',
  'tickets',
  'historySize',
  'hostCacheSize',
  'expiryWarningDays',
  'source',
  'sourceTimeoutSeconds',
  'startTimeoutSeconds',
  'lastGood',
] as const

type FixedOption = (typeof FIXED_OPTIONS)[number]

/** Options that can be changed at run time; `undefined` restores the default. */
export type EngineChanges = {
  readonly [K in Exclude<keyof ReloadEngineOptions, FixedOption>]?: ReloadEngineOptions[K] | undefined
}
