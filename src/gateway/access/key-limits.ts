import { Refusal } from '../refusal.ts';

/** What one key may use; null: without limit. */
export interface KeyLimits {
  readonly perMinute: number | null;
  readonly bytesPerDay: number | null;
  /** Uploads at once. */
  readonly concurrency: number | null;
}

/** Bytes by key and UTC day, kept over restarts. */
export interface ByteUsage {
  /** @param day such as 2026-11-30 */
  used(key: string, day: string): number;
  add(key: string, day: string, bytes: number): void;
}

/** What a key has left, as headers of its answers. */
export type RateHeaders = Readonly<Record<string, string>>;

export interface KeyMeter {
  /**
   * Counts one request.
   * @throws Refusal 429
   */
  request(key: string, limits: KeyLimits): RateHeaders;
  /**
   * Takes one of the uploads that the key may have at once.
   * @returns gives it back
   * @throws Refusal 429
   */
  upload(key: string, limits: KeyLimits): () => void;
  /**
   * Counts the bytes of a file that has come in.
   * @throws Refusal 429, and counts nothing
   */
  bytes(key: string, limits: KeyLimits, bytes: number): void;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * Counts what keys use. A minute is the last 60 s, and all of it may be used at once.
 * @param nowMs milliseconds since the epoch
 */
export function createKeyMeter(usage: ByteUsage, nowMs: () => number): KeyMeter {
  /** When the requests of the last minute came, the oldest first. */
  const requests = new Map<string, number[]>();
  const underWay = new Map<string, number>();

  function lastMinute(key: string): number[] {
    const since = nowMs() - MINUTE;
    const kept = (requests.get(key) ?? []).filter((atMs) => atMs > since);
    requests.set(key, kept);
    return kept;
  }

  return {
    request(key, { perMinute }) {
      if (perMinute === null) return {};
      const times = lastMinute(key);
      const [oldest = nowMs()] = times;
      const waitMs = oldest + MINUTE - nowMs();
      if (times.length >= perMinute) {
        throw limited(
          `more than ${perMinute} requests in a minute`,
          waitMs,
          rateHeaders(perMinute, 0, waitMs),
        );
      }
      times.push(nowMs());
      return rateHeaders(perMinute, perMinute - times.length, waitMs);
    },

    upload(key, { concurrency }) {
      if (concurrency === null) return () => undefined;
      const count = underWay.get(key) ?? 0;
      if (count >= concurrency) throw limited(`more than ${concurrency} uploads at once`, 1_000);
      underWay.set(key, count + 1);
      return () => void underWay.set(key, (underWay.get(key) ?? 1) - 1);
    },

    bytes(key, { bytesPerDay }, bytes) {
      if (bytesPerDay === null) return;
      const day = new Date(nowMs()).toISOString().slice(0, 10);
      if (usage.used(key, day) + bytes > bytesPerDay) {
        throw limited(`more than ${bytesPerDay} bytes in a day (UTC)`, DAY - (nowMs() % DAY));
      }
      if (bytes > 0) usage.add(key, day, bytes);
    },
  };
}

function rateHeaders(limit: number, remaining: number, resetMs: number): RateHeaders {
  return {
    'x-ratelimit-limit-requests': String(limit),
    'x-ratelimit-remaining-requests': String(remaining),
    'x-ratelimit-reset-requests': `${Math.ceil(resetMs / 1000)}s`,
  };
}

function limited(what: string, waitMs: number, headers: RateHeaders = {}): Refusal {
  const seconds = String(Math.max(1, Math.ceil(waitMs / 1000)));
  return new Refusal({
    status: 429,
    code: 'rate_limit_exceeded',
    message: `this key may not have ${what}`,
    headers: { ...headers, 'retry-after': seconds },
  });
}
