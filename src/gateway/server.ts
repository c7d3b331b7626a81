import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { ShownQueues } from '../operations/inspect/queue-board.ts';
import { corsHeaders } from './access/cors.ts';
import { checkOrigin } from './access/origin-check.ts';
import { admit, type UploadsUnderWay } from './admit-upload.ts';
import { ClientGone, discardRest } from './body/request-body.ts';
import { callerGone } from './caller-presence.ts';
import { type Entry, type EntryRules, enter, ownPageOf, requestIdOf } from './entry.ts';
import { fileLimitOf } from './file-limit.ts';
import { files } from './files-door.ts';
import { type QueuesPage, queuesPage } from './operators/queues-page.ts';
import { ownPage } from './own-pages.ts';
import type { Action } from './paths.ts';
import { overloaded, Refusal } from './refusal.ts';
import { serveResumable } from './resumable/serve-resumable.ts';
import type { TusDoor } from './resumable/tus-door.ts';
import { openaiShape } from './shapes/openai.ts';
import type { Reply, Shape } from './shapes/shape.ts';
import { SHAPES, suggestedShape } from './shapes/shapes.ts';
import { refuseUnparsed } from './unparsed-request.ts';
import { modeOf, planBody, type UploadRequest, uploadThrough } from './upload-door.ts';
import type { UploadTarget } from './upload-target.ts';

/** Node's own limit, said: what is larger is 431. */
const MAX_HEADER_BYTES = 16 * 1024;

export interface ServerFacts extends EntryRules, UploadsUnderWay {
  readonly shownQueues: ShownQueues;
  /** Uploads that survive their connection. */
  readonly tus: TusDoor;
  /** True from the moment the door is asked to close. */
  readonly closing: () => boolean;
  readonly targets: () => readonly UploadTarget[];
  readonly log: Log;
}

/** What the access log says of one request. */
interface AccessLine {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  [fact: string]: unknown;
}

/** The HTTP server, not listening yet. */
export function buildServer(facts: ServerFacts): FastifyInstance {
  const app = fastify({
    logger: false,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    // Uploads take as long as they take; silence has a limit of its own.
    requestTimeout: 0,
    connectionTimeout: 0,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: refuseUnparsed,
    frameworkErrors: (error, _request, reply) =>
      void sendReply(reply, openaiShape.refused(refusalOf(error, facts.log))),
  });
  // A client that has finished sending still listens.
  (app.server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
  // Whoever waits for a `100 Continue` gets it once the head of the request has been found good.
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaitsContinue.add(request);
    app.server.emit('request', request, response);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.setErrorHandler((error, request, reply) =>
    answer(request, reply, suggestedShape(pathOf(request)), refusalOf(error, facts.log)),
  );
  const queues = queuesPage(app, facts.shownQueues);
  app.addHook('onClose', () => queues.close());
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply) =>
    handle(request, reply, { ...facts, queues }),
  );
  app.all('/*', unreachable);
  app.setNotFoundHandler(unreachable);
  return app;
}

const awaitsContinue = new WeakSet<IncomingMessage>();

/** Every request is answered by the hook before: nothing of its body is to be parsed for it. */
function unreachable(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply;
}

/**
 * One request from its head to its answer. Never throws.
 * @returns undefined: it is for the page of the queues, which goes on with it
 */
async function handle(
  request: FastifyRequest,
  reply: FastifyReply,
  facts: ServerFacts & { readonly queues: QueuesPage },
): Promise<FastifyReply | undefined> {
  const { log } = facts;
  const startedMs = performance.now();
  const path = pathOf(request);
  const line: AccessLine = {
    requestId: requestIdOf(request.headers['x-request-id']),
    method: request.method,
    path,
  };
  reply.header('x-request-id', line.requestId);
  reply.headers(
    corsHeaders(
      request.headers.origin,
      facts.origins.allowedOrigins,
      request.method === 'OPTIONS' ? (request.headers['access-control-request-headers'] ?? '') : undefined,
    ),
  );
  let shape = suggestedShape(path);
  try {
    if (isPreflight(request)) {
      checkOrigin(request.headers, facts.origins, false);
      return send(request, reply, { status: 204, body: null }, line, startedMs, facts);
    }
    const page = ownPageOf(path);
    if (page !== null) {
      const { place, metrics, later } = facts.uploads;
      const told = await ownPage(page, request.raw, facts, { ...facts, place, metrics, later });
      return send(request, reply, told, line, startedMs, facts);
    }
    if (await facts.queues.takes(request, reply, path, facts)) return undefined;
    if (facts.closing()) throw overloaded('the gateway is shutting down', 1);
    const entry = enter(request.raw, path, facts);
    Object.assign(line, { route: entry.route.prefix, key: entry.caller?.name });
    if (entry.action.kind === 'upload') shape = SHAPES[entry.action.shape];
    if (entry.caller !== null) {
      reply.headers(facts.uploads.meter.request(entry.caller.name, entry.caller.limits));
    }
    const { action } = entry;
    if (action.kind === 'resumable') {
      const asked = { ...entry, id: action.id, requestId: line.requestId };
      await serveResumable(request.raw, reply.raw, asked, facts, () => handOver(request, reply));
      answered(line, reply.raw.statusCode, startedMs, facts);
      return reply;
    }
    const result = await perform(request, reply, { ...entry, action }, shape, facts, line);
    return send(request, reply, result, line, startedMs, facts);
  } catch (error) {
    if (error instanceof ClientGone || reply.raw.destroyed) {
      log.info({ ...line, durationMs: elapsed(startedMs) }, 'the client went away');
      reply.hijack();
      reply.raw.destroy();
      return reply;
    }
    const refusal = refusalOf(error, log);
    return send(request, reply, shape.refused(refusal), { ...line, code: refusal.code }, startedMs, facts);
  }
}

async function perform(
  request: FastifyRequest,
  reply: FastifyReply,
  { action, route, caller }: Entry & { readonly action: Exclude<Action, { kind: 'resumable' }> },
  shape: Shape,
  facts: ServerFacts,
  line: AccessLine,
): Promise<Reply> {
  const gone = callerGone(request.raw, reply.raw);
  if (action.kind !== 'upload')
    return await files(action, searchOf(request), { target: route.target, book: facts.uploads.book }, gone);
  const mode = modeOf(searchOf(request), route);
  const { uploads, inFlight } = facts;
  await admit({ ...facts, mode, target: route.target });
  if (caller !== null) uploads.meter.bytes(caller.name, caller.limits, 0);
  const giveBack = caller === null ? null : uploads.meter.upload(caller.name, caller.limits);
  inFlight.count += 1;
  try {
    return await upload(request, reply, { route, caller, shape, mode, gone }, facts, line);
  } finally {
    inFlight.count -= 1;
    giveBack?.();
  }
}

async function upload(
  request: FastifyRequest,
  reply: FastifyReply,
  { route, caller, ...how }: Pick<Entry, 'route' | 'caller'> & Pick<UploadRequest, 'shape' | 'mode' | 'gone'>,
  facts: ServerFacts,
  line: AccessLine,
): Promise<Reply> {
  const limit = fileLimitOf(route, facts.uploads.maxBytes);
  const body = planBody(request.headers, how.shape, limit, facts.uploads);
  if (awaitsContinue.has(request.raw)) reply.raw.writeContinue();
  return await uploadThrough(
    {
      ...{ request: request.raw, route, caller, requestId: line.requestId, ...how },
      received: (file) => Object.assign(line, { file, destination: route.target.destination.name }),
    },
    body,
    facts.uploads,
  );
}

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  result: Reply,
  line: AccessLine,
  startedMs: number,
  facts: ServerFacts,
): FastifyReply {
  // A connection that is kept for the next request would hold up the end.
  if (facts.closing()) reply.header('connection', 'close');
  reply.raw.once('finish', () => discardRest(request.raw));
  sendReply(reply, result);
  answered(line, result.status, startedMs, facts);
  return reply;
}

function answered(
  line: AccessLine,
  status: number,
  startedMs: number,
  { log, uploads }: Pick<ServerFacts, 'log' | 'uploads'>,
): void {
  uploads.metrics.answered({
    route: String(line.route ?? ''),
    shape: suggestedShape(line.path).name,
    status,
    seconds: (performance.now() - startedMs) / 1000,
  });
  log.info({ ...line, status, durationMs: elapsed(startedMs) }, 'answered');
}

/** From here on somebody else answers, with the headers that are said already. */
function handOver(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
  if (awaitsContinue.has(request.raw)) reply.raw.writeContinue();
}

function answer(request: FastifyRequest, reply: FastifyReply, shape: Shape, refusal: Refusal): FastifyReply {
  reply.raw.once('finish', () => discardRest(request.raw));
  return sendReply(reply, shape.refused(refusal));
}

function sendReply(reply: FastifyReply, { status, headers = {}, body, stream, text }: Reply): FastifyReply {
  reply.code(status).headers({ 'x-content-type-options': 'nosniff', ...headers });
  if (text !== undefined) return reply.send(text);
  if (stream !== undefined) return reply.send(stream);
  if (body === null || body === undefined) return reply.send();
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(body));
}

/** What anything thrown means to a caller; what nobody foresaw is said in the log and not to them. */
function refusalOf(error: unknown, log: Log): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof SlipwayError) {
    const { code, message } = error;
    if (code === 'spool_full' || code === 'disk_full') return overloaded(message, 5);
    if (error.kind === 'usage') return new Refusal({ status: 400, code, message });
  }
  const status = (error as { statusCode?: unknown }).statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new Refusal({ status, code: 'bad_request', message: reasonOf(error) });
  }
  log.error(
    { reason: reasonOf(error), stack: error instanceof Error ? error.stack : undefined },
    'a request failed',
  );
  return new Refusal({
    status: 500,
    code: 'internal_error',
    message: 'unexpected: see the log of the gateway',
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

function pathOf({ raw }: FastifyRequest): string {
  const url = raw.url ?? '/';
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

function searchOf({ raw }: FastifyRequest): string {
  return /\?([^#]*)/.exec(raw.url ?? '')?.[1] ?? '';
}

function elapsed(startedMs: number): number {
  return Math.round(performance.now() - startedMs);
}
