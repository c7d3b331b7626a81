import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { Refusal } from '../refusal.ts';
import type { KeyLimits } from './key-limits.ts';

/** One API key as configured; `file` is absolute. */
export interface KeyOptions {
  readonly name: string;
  readonly env?: string | undefined;
  readonly file?: string | undefined;
  readonly routes?: readonly string[] | undefined;
  readonly limits?: KeyLimits;
}

/** Who calls. */
export interface Caller {
  readonly name: string;
  /** Prefixes that are open to it; null: every route. */
  readonly routes: readonly string[] | null;
  readonly limits: KeyLimits;
}

export interface Keyring {
  /** Whether a key is needed at all. */
  readonly required: boolean;
  /**
   * Whose key this is. Takes the same time for every wrong one.
   * @param authorization the request's header
   * @throws Refusal 401
   */
  callerOf(authorization: string | undefined): Caller | null;
}

const NO_LIMITS: KeyLimits = { perMinute: null, bytesPerDay: null, concurrency: null };

/** A key file that was changed holds within this time. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Opens the configured keys.
 * @throws SlipwayError `usage` naming every key that cannot be read or is empty
 */
export function openKeyring(
  keys: readonly KeyOptions[],
  means: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly monotonicMs: () => number;
    readonly log: Log;
  },
): Keyring {
  const opened = keys.map((key) => openKey(key, means));
  const problems = opened.flatMap(({ problem }) => (problem === null ? [] : [problem]));
  if (problems.length > 0) throw new SlipwayError('usage', { problem: problems.join('; ') });
  return {
    required: keys.length > 0,
    callerOf(authorization) {
      if (keys.length === 0) return null;
      const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
      const digest = digestOf(given ?? '');
      let found: Caller | null = null;
      // All of them, always: how long it takes must not tell which one nearly fits.
      for (const { caller, digest: wanted } of opened) {
        if (timingSafeEqual(wanted(), digest) && given !== undefined) found = caller;
      }
      if (found !== null) return found;
      throw new Refusal({
        status: 401,
        code: 'invalid_api_key',
        message:
          given === undefined
            ? 'an API key is needed: send it as Authorization: Bearer KEY'
            : 'this API key is not known',
        headers: { 'www-authenticate': 'Bearer realm="slipway"' },
      });
    },
  };
}

interface OpenKey {
  readonly caller: Caller;
  /** Of the key as it is now. */
  readonly digest: () => Buffer;
  readonly problem: string | null;
}

function openKey(key: KeyOptions, means: Parameters<typeof openKeyring>[1]): OpenKey {
  const { name, env, file, routes = null, limits = NO_LIMITS } = key;
  const caller = { name, routes, limits };
  if (file === undefined) {
    const value = (means.env[env ?? ''] ?? '').trim();
    const problem = value === '' ? `gateway key ${name}: the environment variable ${env} is not set` : null;
    const digest = digestOf(value);
    return { caller, digest: () => digest, problem };
  }
  let known = { value: '', mtimeMs: Number.NaN };
  let digest = digestOf('');
  let lookedMs = Number.NEGATIVE_INFINITY;
  function look(): string | null {
    try {
      const { mtimeMs } = statSync(file ?? '');
      if (mtimeMs === known.mtimeMs) return null;
      const value = readFileSync(file ?? '', 'utf8').trim();
      // Somebody is writing it right now: the old one holds until there is a new one.
      if (value === '') return `gateway key ${name}: the file ${file} is empty`;
      known = { value, mtimeMs };
      digest = digestOf(value);
      return null;
    } catch (error) {
      return `gateway key ${name}: cannot read ${file} (${reasonOf(error)})`;
    }
  }
  const problem = look();
  return {
    caller,
    problem,
    digest() {
      const nowMs = means.monotonicMs();
      if (nowMs - lookedMs >= LOOK_AGAIN_MS) {
        lookedMs = nowMs;
        const trouble = look();
        if (trouble !== null) means.log.warn({ key: name }, trouble);
      }
      return digest;
    },
  };
}

/** Of equal length, whatever the key: that is what comparing in constant time needs. */
function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
