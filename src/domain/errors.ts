// Over 300 lines: the one registry of errors; splitting it would hide codes from one another.
/**
 * The one registry of errors: code, kind, whether trying again may help, and the message with the fix in it.
 * Doors translate `kind` into an exit code or an HTTP status. A code is never reused.
 */

/** The verdict's own words about an upload (contract §6). */
export type UploadErrorKind =
  | 'unauthenticated'
  | 'throttled'
  | 'unavailable'
  | 'rejected'
  | 'misconfigured'
  | 'exhausted';

/** `usage` and `config` are the caller's, `local` this machine's, `internal` ours. */
export type ErrorKind = UploadErrorKind | 'usage' | 'config' | 'local' | 'internal';

interface ErrorDefinition {
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  /** `{name}` is replaced by the detail of that name. */
  readonly message: string;
}

export const ERRORS = {
  // usage and config (exit 2)
  usage: { kind: 'usage', retryable: false, message: '{problem}' },
  config_invalid: { kind: 'config', retryable: false, message: '{problem}' },
  config_missing: {
    kind: 'config',
    retryable: false,
    message:
      'no config file at {file}: create it (see config/example.yaml), name one with --config, or give a PATH to watch',
  },
  config_unreadable: {
    kind: 'config',
    retryable: false,
    message: 'cannot read {file} ({reason}): correct the path, or its permissions',
  },
  proxy_invalid: {
    kind: 'config',
    retryable: false,
    message:
      'the environment variable {variable} is not the URL of an http or https proxy: set it to http://HOST:PORT, or unset it',
  },
  source_missing: {
    kind: 'config',
    retryable: false,
    message: 'source {source}: the folder {path} does not exist: create it or correct the path',
  },
  source_forbidden: {
    kind: 'config',
    retryable: false,
    message:
      'source {source}: the folder {path} may not be entered ({reason}): correct its permissions, or run Slipway as its owner',
  },
  source_not_folder: {
    kind: 'config',
    retryable: false,
    message: 'source {source}: {path} is not a folder: name the folder that holds the files',
  },
  source_renamed: {
    kind: 'config',
    retryable: false,
    message:
      'source {source}: {known} of the {files} files in {path} are recorded already, for the same destination, by a source called {was}: nothing is sent before you say which it is. The same source under a new name: `renamedFrom: {was}` below sources.{source}, and nothing is sent again. Another source: `renamedFrom: null`, and all of it is sent',
  },
  source_has_records: {
    kind: 'config',
    retryable: false,
    message:
      'source {source} has records of its own in {path}, so it cannot go on with those of {was}: take `renamedFrom` out of sources.{source}, or move that folder away if its records are not wanted',
  },
  public_unacknowledged: {
    kind: 'config',
    retryable: false,
    message:
      'destination {destination} makes every file readable by anyone who has its URL, and cannot delete it ({files} files, {bytes} would go now): answer yes on a terminal, pass --yes, or set destinations.{destination}.acknowledgePublic: true',
  },
  source_owned: {
    kind: 'config',
    retryable: false,
    message:
      'source {source} is already being worked by process {pid} on {host}: stop that one first, or use another dataDir',
  },
  owned_elsewhere: {
    kind: 'local',
    retryable: true,
    message: '{reason} (it was still heard of after {seconds} s)',
  },
  source_lost: {
    kind: 'local',
    retryable: true,
    message:
      'another process has taken over source {source}; this one no longer works on it: see which one runs with slipway status',
  },
  owner_silent: {
    kind: 'local',
    retryable: true,
    message:
      'the process that works on source {source} did not answer within {seconds} s; nothing was done: see slipway status, and try again',
  },
  owner_out_of_reach: {
    kind: 'local',
    retryable: true,
    message:
      'process {pid} works on source {source}, but Redis does not lead to it now; nothing was done: try again (slipway status shows whether it runs)',
  },
  owner_gone: {
    kind: 'local',
    retryable: true,
    message:
      'the process that worked on source {source} is gone before batch {batch} ended: go on with slipway ingest --resume {batch}',
  },
  owner_refused: {
    kind: 'local',
    retryable: false,
    message: 'the process that works on source {source} could not do it: {reason}',
  },
  queue_foreign: {
    kind: 'config',
    retryable: false,
    message:
      'the queue of source {source} in Redis belongs to another ledger, in the data folder {dataDir} on {host}: use that dataDir, or give this installation a redis.prefix of its own; if that folder is gone for good, free the queue with redis-cli DEL "{key}" "{lease}"',
  },
  // this machine
  redis_binary_missing: {
    kind: 'local',
    retryable: false,
    message: 'no redis-server or valkey-server found: {install}, or set redis.url to a running Redis',
  },
  redis_start_failed: {
    kind: 'local',
    retryable: true,
    message: 'the private Redis did not start: {reason} (its log: {log})',
  },
  redis_unreachable: {
    kind: 'local',
    retryable: true,
    message: 'Redis at {where} does not answer ({reason}): start it or correct redis.{key}',
  },
  redis_password_missing: {
    kind: 'config',
    retryable: false,
    message:
      '{what} at {where} wants a password ({reason}): set redis.{key} (a URL can hold it as redis://USER:PASSWORD@HOST)',
  },
  redis_password_wrong: {
    kind: 'config',
    retryable: false,
    message:
      '{what} at {where} does not accept this user and password ({reason}): correct redis.{key}; in a URL special characters are written as %XX',
  },
  redis_forbidden: {
    kind: 'config',
    retryable: false,
    message:
      'Redis at {where} does not give user {user} all rights that Slipway needs ({reason}): run ACL SETUSER {user} {rules} (docs/operations.md says what for)',
  },
  redis_replica: {
    kind: 'config',
    retryable: false,
    message:
      'Redis at {where} is a read-only replica of {primary}: name the primary in redis.{key}, or let Sentinels find it (redis.sentinels and redis.name)',
  },
  redis_is_sentinel: {
    kind: 'config',
    retryable: false,
    message:
      'what answers at {where} is a Sentinel, which holds no data: set redis.sentinels: [{address}] and redis.name: {names} in place of redis.{key}',
  },
  redis_not_sentinel: {
    kind: 'config',
    retryable: false,
    message:
      'what answers at {where} is not a Sentinel ({reason}): name the Sentinels in redis.sentinels (their port is 26379 by default), or Redis itself in redis.url',
  },
  redis_primary_unknown: {
    kind: 'config',
    retryable: false,
    message: 'the Sentinel at {where} knows no primary called {name}: set redis.name to {names}',
  },
  redis_is_cluster: {
    kind: 'config',
    retryable: false,
    message:
      'Redis at {where} is a node of a Cluster and holds a part of the keys only: set redis.cluster: [{address}] in place of redis.{key}',
  },
  redis_not_cluster: {
    kind: 'config',
    retryable: false,
    message: 'Redis at {where} is no Cluster ({reason}): name it in redis.url in place of redis.cluster',
  },
  redis_cluster_down: {
    kind: 'local',
    retryable: true,
    message:
      'the Redis Cluster at {where} does not serve all its slots ({reason}): start the nodes that are missing, or mend it with redis-cli --cluster fix',
  },
  redis_database: {
    kind: 'config',
    retryable: false,
    message: 'Redis at {where} has no database of that number ({reason}): correct redis.{key}',
  },
  redis_tls: {
    kind: 'config',
    retryable: false,
    message: 'no TLS with Redis at {where} ({reason}): {fix}',
  },
  redis_protected: {
    kind: 'config',
    retryable: false,
    message:
      'Redis at {where} is in protected mode and takes no connections from other machines: give it a password (requirepass, or an ACL), and name it in redis.password',
  },
  redis_foreign: {
    kind: 'config',
    retryable: false,
    message: 'what answers at {where} does not speak the protocol of Redis ({reason}): correct redis.{key}',
  },
  redis_refuses: {
    kind: 'local',
    retryable: true,
    message:
      'Redis at {where} answers but does not take what is written ({reason}): uploads wait for it; give it room on its disk or in maxmemory, or name the server that may be written to',
  },
  redis_too_old: {
    kind: 'config',
    retryable: false,
    message: 'Redis at {where} is version {version}: Slipway needs 6.2 or newer',
  },
  data_dir: { kind: 'local', retryable: false, message: 'cannot use the data folder {path}: {reason}' },
  data_dir_newer: {
    kind: 'config',
    retryable: false,
    message:
      'the data folder {path} was written by a newer Slipway (layout {found}, this one knows {known}): update Slipway or use another dataDir',
  },
  journal_short: {
    kind: 'local',
    retryable: false,
    message:
      'the manifest journal {path} is shorter ({size} bytes) than what the ledger has recorded ({mark} bytes): put the journal back from a backup, or move {ledger} away to build a new ledger from the journal as it is',
  },
  journal_missing: {
    kind: 'local',
    retryable: false,
    message: 'there is no manifest journal at {path}: put it back from a backup, or correct `manifest`',
  },
  journal_corrupt: {
    kind: 'local',
    retryable: false,
    message:
      'the manifest journal {path} has a line that is not a receipt at byte {offset}: repair or remove that line',
  },
  journal_changed: {
    kind: 'local',
    retryable: false,
    message:
      'the manifest journal {path} was changed by something else ({problem}): only Slipway may write it; put it back from a backup, or move {ledger} away to build a new ledger from the journal as it is',
  },
  journal_unwritable: {
    kind: 'local',
    retryable: true,
    message: 'cannot write the manifest journal {path}: {reason}',
  },
  journal_forbidden: {
    kind: 'config',
    retryable: false,
    message:
      'cannot write the manifest journal {path} ({reason}): set `manifest` of its source (sources.NAME.manifest) to a writable place, or correct the permissions',
  },
  journal_owned: {
    kind: 'config',
    retryable: false,
    message:
      'the manifest journal {path} is being written by process {pid} on {host} for source {source} of the data folder {dataDir}: stop that one, or give this source a manifest of its own (sources.NAME.manifest)',
  },
  ledger_unreadable: {
    kind: 'local',
    retryable: false,
    message:
      'cannot open the ledger {ledger} ({reason}): move that folder away, it is built again from the manifest journal',
  },
  ledger_unwritable: {
    kind: 'local',
    retryable: true,
    message: 'cannot write the ledger {ledger}: {reason}',
  },
  disk_full: {
    kind: 'local',
    retryable: true,
    message: 'no space left on the disk of {path}: recording is paused until there is',
  },
  file_unreadable: {
    kind: 'local',
    retryable: false,
    message:
      'cannot read the file ({reason}): give the user that runs Slipway read permission, then it goes by itself',
  },
  file_unsized: {
    kind: 'local',
    retryable: false,
    message:
      'the file says that it has 0 bytes and has content all the same, as files of /proc and /sys do: copy it to a file of its own',
  },
  source_root_gone: {
    kind: 'local',
    retryable: true,
    message:
      'the folder {root} is gone, or empty as when a disk is not mounted: mount it again or put it back; its files wait. If it is meant to be empty, put a file into it',
  },
  source_root_closed: {
    kind: 'local',
    retryable: true,
    message:
      'the folder {root} cannot be entered ({reason}): give the user that runs Slipway permission; its files wait',
  },
  source_unmounted: {
    kind: 'local',
    retryable: true,
    message:
      'source {source}: {path} is empty and is not the folder that held its files before, as when a disk is not mounted: mount it; if it is meant to be empty, put a file into it',
  },
  file_vanished: { kind: 'local', retryable: false, message: 'the file was gone when it was to be sent' },
  file_changed: {
    kind: 'local',
    retryable: false,
    message:
      'the file changed before it was sent whole ({what}): this version is given up, the new one follows',
  },
  read_failed: {
    kind: 'local',
    retryable: true,
    message: 'reading the file failed ({reason}): check the disk or mount it lies on',
  },
  out_of_handles: {
    kind: 'local',
    retryable: true,
    message:
      'this machine has no more file handles or memory ({reason}): raise the limit (ulimit -n) or lower worker.concurrency.max',
  },
  // archives and batches
  archive_entry_refused: {
    kind: 'local',
    retryable: false,
    message: 'not taken from the archive: {why}; unpack it yourself where that is what you want',
  },
  archive_entry_encrypted: {
    kind: 'local',
    retryable: false,
    message: 'it is encrypted in the archive: unpack it with its password and ingest the folder',
  },
  archive_entry_broken: {
    kind: 'local',
    retryable: false,
    message: 'it cannot be unpacked ({reason}): the archive is damaged there; get it again, or pack it again',
  },
  archive_entry_method: {
    kind: 'local',
    retryable: false,
    message:
      'it is packed by {method}, which Slipway does not read: unpack the archive with `7z x ARCHIVE -oFOLDER`, and ingest the folder',
  },
  archive_bomb: {
    kind: 'local',
    retryable: false,
    message: 'not unpacked, it looks like a zip bomb ({why}): unpack it yourself if it is what it should be',
  },
  archive_broken: {
    kind: 'local',
    retryable: false,
    message:
      'the archive cannot be read to its end ({reason}): get it again and repeat the command, only what is missing is sent',
  },
  archive_unreadable: {
    kind: 'config',
    retryable: false,
    message: 'cannot read the archive {path} ({reason}): correct the path, or its permissions',
  },
  archive_foreign: {
    kind: 'usage',
    retryable: false,
    message: '{path} is {format}, which Slipway does not read: {command}, and ingest what comes of it',
  },
  batch_unknown: {
    kind: 'usage',
    retryable: false,
    message: 'there is no batch {batch} in {path}: give the id that slipway ingest printed at its start',
  },
  crashed_worker: {
    kind: 'local',
    retryable: false,
    message: 'the process that uploaded this file died {times} times while doing so',
  },
  version_mismatch: {
    kind: 'local',
    retryable: false,
    message:
      'the worker keeps seeing another version of this file than intake does: check that both see the same mount',
  },
  // the token service
  token_service_unreachable: {
    kind: 'unavailable',
    retryable: true,
    message: 'the token service at {where} does not answer ({reason}): start it or correct token.url',
  },
  token_service_refused: {
    kind: 'misconfigured',
    retryable: false,
    message: 'the token service at {where} answered HTTP {status}: log in there, or correct token.url',
  },
  token_command_failed: {
    kind: 'unavailable',
    retryable: true,
    message: 'the token {where} failed ({reason}): run it by hand to see why',
  },
  token_unreadable: {
    kind: 'misconfigured',
    retryable: false,
    message: 'cannot read the token from {where} ({reason}): correct the path or the permissions',
  },
  token_empty: {
    kind: 'misconfigured',
    retryable: false,
    message: 'the token from {where} is empty: log in at the token service, or set the token',
  },
  token_invalid: {
    kind: 'misconfigured',
    retryable: false,
    message:
      'what {where} gives is not a token (it holds spaces, or characters that no HTTP header may carry): log in at the token service, or correct the token',
  },
  token_missing: {
    kind: 'misconfigured',
    retryable: false,
    message:
      'no token: {where} is not set: set it, or configure the token of the destination (destinations.NAME.token)',
  },
  token_refused: {
    kind: 'misconfigured',
    retryable: false,
    message:
      'destination {destination} refused two freshly read tokens in a row: log in again, or renew the token ({where})',
  },
  // the far side
  unauthenticated: { kind: 'unauthenticated', retryable: true, message: '{detail}' },
  throttled: { kind: 'throttled', retryable: true, message: '{detail}' },
  unavailable: { kind: 'unavailable', retryable: true, message: '{detail}' },
  rejected: { kind: 'rejected', retryable: false, message: '{detail}' },
  misconfigured: { kind: 'misconfigured', retryable: false, message: '{detail}' },
  exhausted: { kind: 'exhausted', retryable: false, message: '{detail}' },
  clock_drift: {
    kind: 'misconfigured',
    retryable: false,
    message:
      'destination {destination} refuses the signature even with its own time: check the clock of this machine',
  },
  bad_answer: {
    kind: 'unavailable',
    retryable: true,
    message: 'the answer is not what this API documents ({detail})',
  },
  answer_too_large: {
    kind: 'unavailable',
    retryable: true,
    message: 'the answer is larger than {max} bytes',
  },
  connection: { kind: 'unavailable', retryable: true, message: 'the connection failed ({reason})' },
  timeout: { kind: 'unavailable', retryable: true, message: 'no answer within {timeout} ({phase})' },
  size_mismatch: {
    kind: 'rejected',
    retryable: true,
    message: '{sent} bytes were sent, and the API says that it stored {stored}',
  },
  no_parts: {
    kind: 'rejected',
    retryable: false,
    message:
      'this server has no call for uploads in parts (HTTP {status}): set `parts: null` in the destination, or upload files up to {most}',
  },
  parts_expired: {
    kind: 'unavailable',
    retryable: true,
    message:
      'not sent whole within the {lifetime} that this API gives a file in parts: it needs a faster link, or fewer uploads at once (concurrency.max)',
  },
  no_turn: {
    kind: 'unavailable',
    retryable: true,
    message:
      'the destination had no room for this file within {patience} (last error: {last}): try again later, or raise gateway.patience',
  },
  gave_up: {
    kind: 'unavailable',
    retryable: true,
    message:
      'nothing was accepted for {giveUp} (last error: {last}): try again later, or give a longer --give-up',
  },
  spool_full: {
    kind: 'local',
    retryable: true,
    message: 'as much is waiting as spool.maxBytes allows: try again later, or raise it',
  },
  deadline: {
    kind: 'unavailable',
    retryable: false,
    message: 'not uploaded within retry.deadline ({deadline}); last error: {last}',
  },
  processing_failed: {
    kind: 'rejected',
    retryable: false,
    message:
      'the destination took the file ({id}) but could not process it: check that it opens, and that its format is what its name says',
  },
  file_unknown: {
    kind: 'unavailable',
    retryable: false,
    message:
      'the destination took the file ({id}) and after {waited} does not know it (last look: {last}): look for it there before you send it again',
  },
  not_ready: {
    kind: 'unavailable',
    retryable: false,
    message:
      'the destination took the file ({id}) but it could not be used within {waited}; last look: {last}. It may become usable yet: ask there before you send it again',
  },
  port_unavailable: {
    kind: 'local',
    retryable: false,
    message: 'cannot listen on {where} ({reason}): stop what uses the port, or choose another one',
  },
  gateway_open: {
    kind: 'config',
    retryable: false,
    message:
      'the gateway would be open to everybody who reaches {host}: configure gateway.keys, or bind it to 127.0.0.1',
  },
  internal: { kind: 'internal', retryable: false, message: 'unexpected: {reason}' },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERRORS;
export type ErrorDetails = Readonly<Record<string, string | number>>;

/** The only error class Slipway throws. `message` is one line and names the fix. */
export class SlipwayError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(errorMessage(code, details), options);
    this.name = 'SlipwayError';
    this.code = code;
    this.kind = ERRORS[code].kind;
    this.retryable = ERRORS[code].retryable;
    this.details = details;
  }
}

/** The registry's message for a code, with its details filled in. */
export function errorMessage(code: ErrorCode, details: ErrorDetails = {}): string {
  return ERRORS[code].message.replace(/\{(\w+)\}/g, (whole, name: string) => String(details[name] ?? whole));
}

/** A short reason from anything thrown: the system's code where there is one (`ECONNREFUSED`), else the message. */
export function reasonOf(error: unknown): string {
  if (error instanceof SlipwayError) return error.message;
  if (error instanceof Error) {
    const code = (error as NodeJS.ErrnoException).code;
    return typeof code === 'string' ? code : error.message;
  }
  return String(error);
}
