import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReceivedLog } from '../received-log.ts';
import type { Capacity } from '../trouble/capacity.ts';
import type { ApiName, FaultRule, Operation } from '../trouble/fault-rule.ts';
import type { Faults } from '../trouble/faults.ts';
import { faultyReply } from '../trouble/faulty-reply.ts';
import type { Exchange } from './exchange.ts';
import { httpDate } from './http-date.ts';
import { drainBody } from './read-body.ts';
import type { ApiManners, Outcome, Reply } from './reply.ts';

/** One call of one API. */
export interface Call {
  readonly api: ApiName;
  readonly operation: Operation;
  /** null: the token service, which has no errors of its own. */
  readonly manners: ApiManners | null;
  readonly handle: (exchange: Exchange, fault: FaultRule | null) => Outcome | Promise<Outcome>;
}

export interface ServeContext {
  readonly faults: Faults;
  readonly log: ReceivedLog;
  readonly capacity: Capacity;
  readonly now: () => number;
  /** Ends everything that waits. */
  readonly closed: AbortSignal;
}

/** One request from its head to its answer: the fault that strikes it, the call itself, the capacity, the answer. */
export async function serve(
  call: Call,
  exchange: Exchange,
  res: ServerResponse,
  context: ServeContext,
): Promise<void> {
  const { req } = exchange;
  const { api, operation } = call;
  const isUpload = operation === 'upload';
  context.log.requestBegan(isUpload);
  try {
    const early = context.faults.ofRequest(api, operation);
    if (early?.action === 'reset-before-body') return reset(req, early, context);
    let outcome = await call.handle(exchange, early);
    if (hasUnreadBody(req) && (await drainBody(req)) === 'gone') outcome = { kind: 'gone' };
    if (outcome.kind === 'gone') return context.log.brokenOff();
    const named = outcome.kind === 'accepted' && outcome.filename !== null ? outcome.filename : null;
    const fault = early ?? (named === null ? null : context.faults.ofFile(api, operation, named));
    if (isUpload && outcome.kind === 'accepted') outcome = await withinCapacity(call, outcome, context);
    if (fault === null) return send(res, await settle(call, outcome, context), context);
    context.log.struck(fault.action);
    await misbehave(call, outcome, fault, { req, res }, context);
  } finally {
    context.log.requestEnded(isUpload);
  }
}

/** Sends an answer with the Date of the sandbox's clock and its exact length. */
export function send(res: ServerResponse, reply: Reply, { now }: Pick<ServeContext, 'now'>): void {
  if (res.destroyed || res.headersSent) return;
  const { status, contentType, headers, body } = reply;
  res.sendDate = false;
  res.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    Date: httpDate(now()),
    ...headers,
  });
  res.end(body);
}

async function withinCapacity(
  { manners }: Call,
  outcome: Extract<Outcome, { kind: 'accepted' }>,
  { capacity, log }: ServeContext,
): Promise<Outcome> {
  const admission = await capacity.serve(log.uploadsInFlight);
  if (admission === 'served' || manners === null) return outcome;
  outcome.discard?.();
  if (admission === 'closed') return { kind: 'gone' };
  return admission === 'throttled' ? manners.throttled() : manners.overloaded();
}

/** Makes the change an accepted call stands for, and gives its answer. */
async function settle({ api }: Call, outcome: Outcome, { log }: ServeContext): Promise<Reply> {
  if (outcome.kind === 'accepted') return outcome.store();
  if (outcome.kind === 'refused') log.refused(api, outcome.reason);
  return outcome.kind === 'gone' ? { status: 503, contentType: 'text/plain', body: '' } : outcome.reply;
}

async function misbehave(
  call: Call,
  outcome: Outcome,
  fault: FaultRule,
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  context: ServeContext,
): Promise<void> {
  switch (fault.action) {
    case 'token':
      return send(res, await settle(call, outcome, context), context);
    case 'slow':
      await delay(fault.ms, undefined, { signal: context.closed }).catch(() => undefined);
      return send(res, await settle(call, outcome, context), context);
    case 'store-then-reset':
      await settle(call, outcome, context);
      req.socket.resetAndDestroy();
      return;
    case 'store-then-hang':
      await settle(call, outcome, context);
      return untilGone(req, context.closed);
    case 'store-then-500':
    case 'truncated-json':
    case 'huge-json':
      return send(res, faultyReply(fault, await settle(call, outcome, context), call.manners), context);
    default:
  }
  if (outcome.kind === 'accepted') outcome.discard?.();
  if (fault.action === 'hang') return untilGone(req, context.closed);
  if (fault.action === 'reset-before-body' || fault.action === 'reset-after-body') {
    req.socket.resetAndDestroy();
    return;
  }
  send(res, faultyReply(fault, null, call.manners), context);
}

function reset(req: IncomingMessage, fault: FaultRule, { log }: ServeContext): void {
  log.struck(fault.action);
  req.socket.resetAndDestroy();
}

/** Never answers: waits until the client or the sandbox gives up. */
function untilGone({ socket }: IncomingMessage, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed || closed.aborted) return resolve();
    socket.once('close', resolve);
    closed.addEventListener('abort', () => resolve(), { once: true });
  });
}

function hasUnreadBody(req: IncomingMessage): boolean {
  if (req.readableEnded || req.destroyed) return false;
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
