import { createHash } from 'node:crypto';
import type { KeptAnswer, KeptAnswers } from '../operations/receive/received-book.ts';
import { badRequest, Refusal } from './refusal.ts';
import type { Reply } from './shapes/shape.ts';

const KEY = /^[\x21-\x7e]{1,255}$/;

/** What makes two requests the same one. */
export interface RequestContent {
  readonly sha256: string;
  readonly filename: string;
  readonly purpose: string;
}

/** One request under its Idempotency-Key. */
export interface Repeatable {
  /**
   * The answer that this request was given before; null: it is new.
   * @throws Refusal 422 where the key was given to another request
   */
  earlier(content: RequestContent): Reply | null;
  /** Keeps its answer for a day. */
  keep(content: RequestContent, reply: Reply): void;
  /** The same, inside a transaction of the book. */
  write(content: RequestContent, reply: Reply): void;
  /** It is over, whatever came of it. */
  done(): void;
}

export interface Idempotency {
  /**
   * Begins a request.
   * @param scope caller and route: the same key of another caller is another one
   * @returns null: it has no key
   * @throws Refusal 400 for what is no key, 409 while the same one is running
   */
  begin(header: string | string[] | undefined, scope: readonly string[]): Repeatable | null;
}

export function createIdempotency(answers: KeptAnswers, now: () => number): Idempotency {
  const running = new Set<string>();
  return {
    begin(header, scope) {
      if (header === undefined) return null;
      if (typeof header !== 'string' || !KEY.test(header)) {
        throw badRequest(
          'invalid_idempotency_key',
          'Idempotency-Key must be 1 to 255 visible ASCII characters',
          'idempotency-key',
        );
      }
      const key = [...scope, header];
      const name = JSON.stringify(key);
      if (running.has(name)) {
        throw new Refusal({
          status: 409,
          code: 'idempotency_key_in_use',
          message: 'a request with this Idempotency-Key is still running',
          param: 'idempotency-key',
          headers: { 'retry-after': '1' },
        });
      }
      running.add(name);
      return {
        earlier(content) {
          const kept = answers.get(key, now());
          if (kept === null) return null;
          if (kept.fingerprint !== fingerprintOf(content)) {
            throw new Refusal({
              status: 422,
              code: 'idempotency_key_reused',
              message: 'this Idempotency-Key was given with another file, name or purpose',
              param: 'idempotency-key',
            });
          }
          const headers = { ...kept.headers, 'idempotency-replayed': 'true' };
          return { status: kept.status, headers, body: kept.body };
        },
        keep: (content, reply) => answers.put(key, keptAnswer(content, reply, now())),
        write: (content, reply) => answers.write(key, keptAnswer(content, reply, now())),
        done: () => void running.delete(name),
      };
    },
  };
}

function keptAnswer(
  content: RequestContent,
  { status, headers = {}, body }: Reply,
  atMs: number,
): KeptAnswer {
  return { fingerprint: fingerprintOf(content), status, headers, body, atMs };
}

function fingerprintOf({ sha256, filename, purpose }: RequestContent): string {
  return createHash('sha256')
    .update(JSON.stringify([sha256, filename, purpose]))
    .digest('hex');
}
