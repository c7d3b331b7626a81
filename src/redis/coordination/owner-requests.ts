import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { sourceKey } from '../queue-key.ts';
import { duplicateOf } from '../redis-connection.ts';

/**
 * How a command hands work to the live owner of a source, on whatever host it runs (contract §4, Owner). The answer comes
 * once the work is durable, so nothing is lost with a request that nobody takes up: its asker is told.
 */

/** Answers stay this long for an asker that is slow. */
const ANSWER_TTL_SECONDS = 60;
const AFTER_ERROR_MS = 500;

interface Envelope {
  readonly v: 1;
  readonly id: string;
  readonly request: unknown;
}

type Answer =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly code: string | null; readonly message: string };

/**
 * The owner's end: takes requests one at a time, until closed.
 * @param options.handle what it throws becomes the asker's error
 */
export function hearRequests(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly handle: (request: unknown) => Promise<unknown>;
  readonly log: Log;
}): { close(): Promise<void> } {
  const { connection, prefix, source, handle, log } = options;
  // One that waits for the next request can do nothing else.
  const listener = duplicateOf(connection);
  listener.on('error', () => undefined);
  let closed = false;

  async function take(): Promise<void> {
    const taken = await listener.brpop(requestsKey(prefix, source), 0);
    if (taken === null) return;
    const { id, request } = JSON.parse(taken[1]) as Envelope;
    const answer = await handle(request).then(
      (value): Answer => ({ ok: true, answer: value ?? null }),
      (error: unknown): Answer => ({
        ok: false,
        code: error instanceof SlipwayError ? error.code : null,
        message: reasonOf(error),
      }),
    );
    const key = answerKey(prefix, source, id);
    await connection.multi().lpush(key, JSON.stringify(answer)).expire(key, ANSWER_TTL_SECONDS).exec();
  }

  async function run(): Promise<void> {
    while (!closed) {
      try {
        await take();
      } catch (error) {
        if (closed) return;
        log.debug({ source, reason: reasonOf(error) }, 'a request to the owner could not be taken');
        await new Promise((resolve) => setTimeout(resolve, AFTER_ERROR_MS));
      }
    }
  }

  const running = run();
  return {
    async close() {
      closed = true;
      listener.disconnect();
      await running;
    },
  };
}

/**
 * A command's end: asks the owner and waits until it has done it.
 * @param options.connection of this command alone: waiting blocks it
 * @throws SlipwayError `owner_silent` when nobody answers in time, `owner_refused` with what the owner says
 */
export async function askOwner(options: {
  readonly connection: Redis;
  readonly prefix: string;
  readonly source: string;
  readonly request: unknown;
  readonly timeoutMs: number;
}): Promise<unknown> {
  const { connection, prefix, source, request, timeoutMs } = options;
  const id = randomUUID();
  const envelope = JSON.stringify({ v: 1, id, request } satisfies Envelope);
  // A probe's commands have a time limit of their own, which a blocking read would run into.
  const waiting = duplicateOf(connection, { commandTimeout: timeoutMs + 5_000, maxRetriesPerRequest: 1 });
  waiting.on('error', () => undefined);
  try {
    await connection.lpush(requestsKey(prefix, source), envelope);
    const taken = await waiting.brpop(answerKey(prefix, source, id), timeoutMs / 1_000);
    if (taken === null) {
      // Not to be done behind the back of somebody who was told that it was not.
      await connection.lrem(requestsKey(prefix, source), 0, envelope);
      throw new SlipwayError('owner_silent', { source, seconds: Math.round(timeoutMs / 1_000) });
    }
    const answer = JSON.parse(taken[1]) as Answer;
    if (!answer.ok) throw new SlipwayError('owner_refused', { source, reason: answer.message });
    return answer.answer;
  } finally {
    waiting.disconnect();
  }
}

function requestsKey(prefix: string, source: string): string {
  return sourceKey(prefix, source, 'requests');
}

function answerKey(prefix: string, source: string, id: string): string {
  return sourceKey(prefix, source, `answer:${id}`);
}
