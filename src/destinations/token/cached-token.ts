import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { abortErrorOf, onAbort } from '../../platform/waiting/abort.ts';
import { type TokenLifetime, tokenLifetime } from './token-lifetime.ts';
import type { OpenTokenSource } from './token-source.ts';

/** One reading of the token. */
export interface IssuedToken {
  readonly value: string;
  /** Counts readings from 1: a refusal of an older one says nothing about this one. */
  readonly generation: number;
}

/**
 * The token of one destination, shared by all its uploads in this process.
 * At most one reading is under way at any moment, and everybody who needs it waits for that one.
 */
export interface CachedToken {
  /** A token that may serve. Throws SlipwayError `token_*` when none can be had, the signal's reason when aborted. */
  current(signal: AbortSignal): Promise<IssuedToken>;
  /** This reading was refused: it is not given out again. Of an older reading nothing happens. */
  refused(generation: number): void;
  /**
   * Whether the source gives another token than the one in hand, and gave it at the last look too: one that makes a
   * new token for every reader tells nothing by it. Always false for a source that costs something to ask (a command).
   */
  changed(): Promise<boolean>;
  /** Why the last reading failed; null when it did not. */
  problem(): string | null;
  /** Tokens given out lately, for redaction. */
  recent(): readonly string[];
  /** Gives up a reading under way. */
  close(): void;
}

export interface CachedTokenOptions {
  readonly source: OpenTokenSource;
  readonly destination: string;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** A source that has just failed is not asked again at once by every job that waits for it. */
const FAILURE_HOLD_MS = 1000;
/** Pause between attempts at a refresh that nobody waits for. */
const BACKGROUND_RETRY_MS = 10_000;
/** How often a source that can be looked at is looked at. */
const CHANGE_CHECK_MS = 1000;
const RECENT_TOKENS = 8;

interface Held extends IssuedToken, TokenLifetime {}

// Over 80 lines: one token in hand and the readings that renew it; each step is a few lines over the same state.
export function createCachedToken(options: CachedTokenOptions): CachedToken {
  const { source, destination, log, now, random } = options;
  const closing = new AbortController();
  const recent: string[] = [];
  let held: Held | null = null;
  let heldRefused = false;
  let refusals = 0;
  let reading: Promise<IssuedToken> | null = null;
  let failure: { readonly error: unknown; readonly atMs: number } | null = null;
  let backgroundNotBeforeMs = 0;
  let checkedAtMs = 0;
  let lookedAt: string | null = null;

  function read(): Promise<IssuedToken> {
    reading ??= readOnce().finally(() => {
      reading = null;
    });
    return reading;
  }

  async function readOnce(): Promise<IssuedToken> {
    try {
      for (;;) {
        const refusalsBefore = refusals;
        const value = await source.read(closing.signal);
        // This reading began before the token in hand was refused, and is the same one: it tells nothing new.
        if (refusals !== refusalsBefore && value === held?.value) continue;
        return hold(value);
      }
    } catch (error) {
      if (!closing.signal.aborted) failure = { error, atMs: now() };
      throw error;
    }
  }

  function hold(value: string): IssuedToken {
    const same = held !== null && !heldRefused && held.value === value;
    const generation = same && held !== null ? held.generation : (held?.generation ?? 0) + 1;
    held = { value, generation, ...tokenLifetime(value, source.expires, now(), random) };
    heldRefused = false;
    checkedAtMs = now();
    if (failure !== null) log.info({ destination, from: source.where }, 'the token can be read again');
    failure = null;
    if (!recent.includes(value)) recent.push(value);
    if (recent.length > RECENT_TOKENS) recent.shift();
    return held;
  }

  /** The token in hand goes on serving meanwhile, and when it fails. */
  function readInBackground(): void {
    if (reading !== null || now() < backgroundNotBeforeMs) return;
    backgroundNotBeforeMs = now() + BACKGROUND_RETRY_MS;
    read().catch((error: unknown) => {
      if (closing.signal.aborted) return;
      log.warn(
        { destination, from: source.where, reason: reasonOf(error) },
        'the token could not be read again: the one in hand goes on serving',
      );
    });
  }

  async function lookForChange(): Promise<void> {
    if (now() - checkedAtMs < CHANGE_CHECK_MS) return;
    checkedAtMs = now();
    if (await source.changed()) readInBackground();
  }

  return {
    async current(signal) {
      signal.throwIfAborted();
      if (closing.signal.aborted) throw abortErrorOf(closing.signal);
      if (held !== null && !heldRefused) {
        const serving = held;
        if (now() < serving.endsAtMs) {
          if (now() >= serving.refreshAtMs) readInBackground();
          else void lookForChange();
          return serving;
        }
      }
      if (reading === null && failure !== null && now() - failure.atMs < FAILURE_HOLD_MS) throw failure.error;
      return await unlessAborted(read(), signal);
    },
    refused(generation) {
      if (held?.generation !== generation || heldRefused) return;
      heldRefused = true;
      refusals += 1;
    },
    async changed() {
      if (held === null || !source.cheap || closing.signal.aborted) return false;
      const value = await source.read(closing.signal);
      const settled = value === lookedAt;
      lookedAt = value;
      if (value === held.value) return false;
      heldRefused = true;
      return settled;
    },
    problem: () => (failure === null ? null : reasonOf(failure.error)),
    recent: () => recent,
    close() {
      closing.abort(new SlipwayError('internal', { reason: 'the destination was closed' }));
    },
  };
}

/** One caller's abort ends only that caller's wait: the others still want the reading. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(abortErrorOf(signal)));
    promise.then(resolve, reject).finally(stopListening);
  });
}
