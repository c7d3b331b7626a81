import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { leaseHolder } from '../../redis/coordination/owner-lease.ts';
import { askOwner } from '../../redis/coordination/owner-requests.ts';
import type { RedisConnection } from '../../redis/redis-access.ts';
import type { OwnerAnswers, OwnerRequest } from '../owner/owner-request.ts';

/** The owner may be in the middle of a large batch; the file waits anyway. */
const ANSWER_MS = 5_000;
/** Many files of a folder that is not mounted must not be as many questions. */
const NO_STANDS_MS = 1_000;

export interface RootQuestionOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly source: string;
  /** Of this process, as leases name it. */
  readonly host: string;
  readonly log: Log;
  /** Milliseconds, never going back. */
  readonly monotonicMs: () => number;
}

/**
 * What a worker that sees an empty folder asks the owner, on whatever host it is: is the folder really empty? One
 * question at a time. A yes holds only for files that were queued before it was asked, so that whoever comes while one
 * is under way gets the answer of the next.
 * @returns false without a live owner that says so
 */
export function rootQuestion(options: RootQuestionOptions): () => Promise<boolean> {
  const { connection, prefix, source, host, log, monotonicMs } = options;
  let noUntilMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<boolean> | null = null;
  let next: Promise<boolean> | null = null;

  async function answer(): Promise<boolean> {
    if (monotonicMs() < noUntilMs || connection.status !== 'ready') return false;
    const emptied = await isEmptied().catch((error: unknown) => {
      log.debug({ source, reason: reasonOf(error) }, 'the owner could not say whether the folder is empty');
      return false;
    });
    if (!emptied) noUntilMs = monotonicMs() + NO_STANDS_MS;
    return emptied;
  }

  async function isEmptied(): Promise<boolean> {
    if ((await leaseHolder(connection, prefix, source, host)) === null) return false;
    const request: OwnerRequest = { kind: 'root' };
    const answered = await askOwner({ connection, prefix, source, request, timeoutMs: ANSWER_MS });
    return (answered as OwnerAnswers['root']).emptied;
  }

  function start(): Promise<boolean> {
    asking = answer().finally(() => {
      asking = null;
    });
    return asking;
  }

  return () => {
    if (asking === null) return start();
    next ??= asking.then(() => {
      next = null;
      // Asked by somebody who came after us: as good.
      return asking ?? start();
    });
    return next;
  };
}
