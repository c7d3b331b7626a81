import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { reasonOf } from '../../domain/errors.ts';
import type { OpenableBoard } from '../../operations/inspect/queue-board.ts';
import { queueBoard, type ShownQueues } from '../../operations/inspect/queue-board.ts';
import { checkOrigin } from '../access/origin-check.ts';
import type { EntryRules } from '../entry.ts';
import { Refusal } from '../refusal.ts';

const PATH = '/queues';

/** Nothing from elsewhere, whatever the board's own page asks for. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'";

/** The queues, for looking only. */
export interface QueuesPage {
  /**
   * Whether a request is about them, and may be.
   * @throws Refusal 401, 403, 405, 503
   */
  takes(request: FastifyRequest, reply: FastifyReply, path: string, rules: EntryRules): Promise<boolean>;
  close(): Promise<void>;
}

/** Puts the page on a server that does not listen yet. */
export function queuesPage(app: FastifyInstance, shown: ShownQueues): QueuesPage {
  const server = new FastifyAdapter();
  server.setBasePath(PATH);
  const board: OpenableBoard = queueBoard(server, shown);
  app.register(server.registerPlugin(), { prefix: PATH });
  return {
    async takes(request, reply, path, { origins, keyring }) {
      if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
      checkOrigin(request.headers, origins, true);
      keyring.callerOf(request.headers.authorization);
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        throw new Refusal({
          status: 405,
          code: 'method_not_allowed',
          message: 'the queues are for looking only',
          headers: { allow: 'GET, HEAD' },
        });
      }
      await openOr503(board);
      reply.headers({ 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' });
      return true;
    },
    close: board.close,
  };
}

async function openOr503(board: OpenableBoard): Promise<void> {
  try {
    await board.open();
  } catch (error) {
    throw new Refusal({
      status: 503,
      code: 'queue_unavailable',
      message: `there are no queues to look at (${reasonOf(error)})`,
      headers: { 'retry-after': '5' },
    });
  }
}
