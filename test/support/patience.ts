/**
 * Set-up of every test file. A wait costs nothing once what it waits for is there, and a busy machine may take many
 * times as long as a quiet one: whatever time a test gives it, no wait ends without its result before this.
 */
import { vi } from 'vitest';

export const PATIENCE_MS = 45_000;

interface Wait {
  readonly timeout?: number;
  readonly interval?: number;
}

function patient(wait: number | Wait = {}): Wait {
  const given: Wait = typeof wait === 'number' ? { timeout: wait } : wait;
  return { ...given, timeout: Math.max(given.timeout ?? 0, PATIENCE_MS) };
}

const { waitFor, waitUntil } = vi;
vi.waitFor = (callback, wait) => waitFor(callback, patient(wait));
vi.waitUntil = (callback, wait) => waitUntil(callback, patient(wait));
