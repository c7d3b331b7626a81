import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { reasonOf } from '../../domain/errors.ts';
import { below, inFolder } from '../../platform/files/exact-folder.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import type { EventSource } from './event-source.ts';

/**
 * Whether events arrive from a folder.
 * - `none`: a file was written and nothing was heard of it
 * - `unwritable`: no file could be written, so nothing is known
 */
export type CanaryResult =
  | { readonly kind: 'events'; readonly ms: number }
  | { readonly kind: 'none'; readonly reason: string | null }
  | { readonly kind: 'unwritable'; readonly reason: string };

/** A source that has to look at a whole tree first may take a while. */
const READY_MS = 30_000;
const EVENT_MS = 5_000;

/**
 * Writes a file that no filter ever takes (`.slipway-canary-…`) into a folder, waits for a real event of it, and
 * removes it.
 * @param root absolute path
 * @param source the one the watcher would use; closed at the end
 */
export async function tryEvents(
  root: string,
  source: EventSource,
  monotonicMs: () => number,
): Promise<CanaryResult> {
  const name = `.slipway-canary-${randomBytes(6).toString('hex')}`;
  const heard = Promise.withResolvers<null>();
  const ready = Promise.withResolvers<null>();
  let failure: string | null = null;
  source.start({
    hint(path) {
      if (path.slice(path.lastIndexOf('/') + 1) === name) heard.resolve(null);
    },
    ready: () => ready.resolve(null),
    failed(error) {
      failure ??= reasonOf(error);
    },
  });
  source.follower?.folder({ path: '' });
  const folder = realRootOf(root);
  try {
    await within(ready.promise, READY_MS);
    const beganMs = monotonicMs();
    await inFolder(folder, (at) => writeFile(below(at, name), '', { flag: 'wx', mode: 0o600 }));
    const came = await within(heard.promise, EVENT_MS);
    return came ? { kind: 'events', ms: monotonicMs() - beganMs } : { kind: 'none', reason: failure };
  } catch (error) {
    return { kind: 'unwritable', reason: reasonOf(error) };
  } finally {
    await inFolder(folder, (at) => rm(below(at, name), { force: true })).catch(() => undefined);
    await source.close().catch(() => undefined);
  }
}

/** Whether it came in time. */
async function within(promise: Promise<null>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  const came = await Promise.race([promise.then(() => true), late.promise]);
  clearTimeout(timer);
  return came;
}
