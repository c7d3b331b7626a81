import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import { reasonOf } from '../domain/errors.ts';
import type { FileMeta } from '../domain/file-meta.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { Acceptance } from '../operations/receive/acceptance.ts';
import { receivedType } from '../operations/receive/content-type.ts';
import { safeFileName } from '../operations/receive/file-name.ts';
import { type IncomingPlace, MEMORY_BYTES } from '../operations/receive/incoming.ts';
import type { ReceivedFile } from '../operations/receive/incoming-file.ts';
import { type ReceivedBook, receivedId } from '../operations/receive/received-book.ts';
import type { ReceivedLine } from '../operations/receive/received-line.ts';
import type { DirectFile, DirectResult } from '../operations/upload/direct-upload.ts';
import type { KeyMeter } from './access/key-limits.ts';
import type { Caller } from './access/keyring.ts';
import { readJsonUpload } from './body/read-json.ts';
import { boundaryOf, type ReceivedForm, readForm } from './body/upload-form.ts';
import type { OpenRoute } from './entry.ts';
import { type FileLimit, fileLimitOf } from './file-limit.ts';
import type { Idempotency, Repeatable, RequestContent } from './idempotency.ts';
import type { GatewayMetrics } from './operators/metrics.ts';
import { checkLimits, planUpload } from './plan-upload.ts';
import { badRequest, tooLarge, unsupportedBody } from './refusal.ts';
import type { UploadMode } from './route-table.ts';
import { waitingObject } from './shapes/file-object.ts';
import type { Reply, Shape, UploadEnd } from './shapes/shape.ts';

/** Everything around the file in a form that is still in order: 20 fields of 64 KiB, headers, boundaries. */
const FORM_BYTES = 1_500_000;

export interface UploadRules {
  readonly place: IncomingPlace;
  readonly maxBytes: number;
  readonly maxJsonBytes: number;
  /** Longest silence while the body is awaited. */
  readonly idleMs: number;
  readonly now: () => number;
  readonly book: ReceivedBook;
  readonly idempotency: Idempotency;
  readonly meter: KeyMeter;
  readonly metrics: GatewayMetrics;
  /** The door closes, and nobody waits any more. */
  readonly ending: AbortSignal;
  /** Takes files to be sent later. */
  readonly later: { readonly line: ReceivedLine; readonly acceptance: Acceptance };
  readonly log: Log;
}

/** One upload as it stands when its body is about to be read. */
export interface UploadRequest {
  readonly request: IncomingMessage;
  readonly shape: Shape;
  readonly route: OpenRoute;
  readonly mode: UploadMode;
  readonly caller: Caller | null;
  readonly requestId: string;
  /** Nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** Told once the file is in, for the log. */
  readonly received: (file: {
    readonly name: string;
    readonly bytes: number;
    readonly type: string | null;
    readonly sha256: string;
  }) => void;
}

/**
 * Whether the caller wants the file uploaded now (`direct`) or taken for later (`queue`).
 * @param search query of the request; it goes before what the route says
 * @throws Refusal 400
 */
export function modeOf(search: string, { mode: own }: Pick<OpenRoute, 'mode'>): UploadMode {
  const modes = new URLSearchParams(search).getAll('mode');
  if (modes.length > 1) throw badRequest('invalid_mode', 'mode is given twice', 'mode');
  const [mode = own] = modes;
  if (mode !== 'direct' && mode !== 'queue')
    throw badRequest('invalid_mode', 'mode must be direct or queue', 'mode');
  return mode;
}

/** How the body is to be read. */
export type BodyPlan = { readonly kind: 'form'; readonly boundary: string } | { readonly kind: 'json' };

/**
 * What the head of an upload says of its body, before a byte of it is read.
 * @throws Refusal 400, 413, 415
 */
export function planBody(
  headers: IncomingMessage['headers'],
  shape: Shape,
  { maxBytes, limitOf }: FileLimit,
  rules: Pick<UploadRules, 'maxJsonBytes'>,
): BodyPlan {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity')
    throw unsupportedBody('a Content-Encoding is not taken: send the body as it is');
  const type = headers['content-type'] ?? '';
  const announced = Number(headers['content-length'] ?? Number.NaN);
  if (/^\s*multipart\/form-data\s*(?:;|$)/i.test(type)) {
    const boundary = boundaryOf(type);
    if (boundary === null)
      throw badRequest('malformed_form', 'the Content-Type has no boundary', 'content-type');
    if (announced > maxBytes + FORM_BYTES) throw tooLarge(maxBytes, limitOf);
    return { kind: 'form', boundary };
  }
  if (shape.name === 'vectorx' && /^\s*application\/json\s*(?:;|$)/i.test(type)) {
    if (announced > rules.maxJsonBytes)
      throw tooLarge(rules.maxJsonBytes, 'a JSON body (gateway.maxJsonBytes)', null);
    return { kind: 'json' };
  }
  const also = shape.name === 'vectorx' ? ' or application/json' : '';
  throw unsupportedBody(`the Content-Type must be multipart/form-data${also}`);
}

/**
 * One upload from its body to its answer: take the form in whole → was it answered before → what does the destination want
 * with it → is it there already → send it → record it → say how it ended. The file is gone on every way out.
 * @throws Refusal, ClientGone, or the signal's reason once the caller is gone
 */
export async function uploadThrough(
  upload: UploadRequest,
  body: BodyPlan,
  rules: UploadRules,
): Promise<Reply> {
  const { route, shape, caller, request } = upload;
  const { target } = route;
  const scope = [caller?.name ?? '', route.prefix, shape.name];
  const repeatable = rules.idempotency.begin(request.headers['idempotency-key'], scope);
  try {
    const form = await readUpload(upload, body, rules);
    try {
      const filename = safeFileName(form.filename);
      const plan = planUpload(form.fields, target.destination.definition, route.fields, shape.name);
      const { sha256, bytes, head } = form.file;
      rules.metrics.received(bytes);
      if (caller !== null) rules.meter.bytes(caller.name, caller.limits, bytes);
      const content = { sha256, filename, purpose: plan.purpose };
      const earlier = repeatable?.earlier(content) ?? null;
      if (earlier !== null) return earlier;
      const definition = target.with(plan.fields);
      const type = await receivedType(form.contentType, head);
      checkLimits(definition, { name: filename, bytes });
      upload.received({ name: filename, bytes, type, sha256 });
      const sendable = { form, type, definition, content };
      const known = await findSame(upload, sendable, rules);
      if (known === null && upload.mode === 'queue') {
        return await takeForLater(upload, { ...sendable, fields: plan.fields }, rules, repeatable);
      }
      const end = known ?? (await sendNow(upload, sendable, rules, repeatable === null));
      const reply = shape.ended(end);
      if (isFinal(end.result)) repeatable?.keep(content, reply);
      return reply;
    } finally {
      await form.file.release();
    }
  } finally {
    repeatable?.done();
  }
}

interface Sendable {
  readonly form: ReceivedForm;
  readonly type: string | null;
  readonly definition: DestinationDefinition;
  readonly content: RequestContent;
}

/** The upload of the same bytes under the same name and purpose, on a route that asks for it; null: there is none. */
async function findSame(
  { route }: UploadRequest,
  { definition, content }: Sendable,
  { book, now }: UploadRules,
): Promise<UploadEnd | null> {
  if (route.dedupe !== 'content') return null;
  const { filename, purpose, sha256 } = content;
  const { destination, farIds } = route.target;
  const receipt = await book.sameContent(destination.name, sha256, filename);
  if (receipt === null || receipt.meta?.purpose !== purpose) return null;
  const result = { receipt, stopped: false, retryAfterMs: null, answer: null };
  return { definition, filename, purpose, farIds, nowMs: now(), result, doorId: receivedId(receipt) };
}

function metaOf({ caller, requestId }: UploadRequest, purpose: string): FileMeta {
  return {
    request_id: requestId,
    purpose: purpose.slice(0, 200),
    ...(caller === null ? {} : { key: caller.name }),
  };
}

/** Safe on disk, file and intent, before anybody is told so; whoever repeats the request is told the same. */
async function takeForLater(
  upload: UploadRequest,
  { form, type, content, fields }: Sendable & { readonly fields: Readonly<Record<string, string>> },
  { later, now }: UploadRules,
  repeatable: Repeatable | null,
): Promise<Reply> {
  const { route, shape } = upload;
  const facts = {
    ...{ id: newDoorId(), name: content.filename, destination: route.target.destination.name },
    ...{ fields, contentType: type, acceptedAtMs: now(), meta: metaOf(upload, content.purpose) },
  };
  const { bytes: size, sha256 } = form.file;
  const object = waitingObject({ ...facts, size, sha256, mtimeNs: '', gen: 0 });
  const prefix = route.prefix === '/' ? '' : route.prefix;
  const reply = shape.queued(object, { location: `${prefix}/v1/files/${facts.id}` });
  await later.acceptance.accept(form.file, facts, () => repeatable?.write(content, reply));
  return reply;
}

/** @param abortable the caller's going away ends the upload; a repeatable one is asked for again */
async function sendNow(
  upload: UploadRequest,
  { form, type, definition, content }: Sendable,
  rules: UploadRules,
  abortable: boolean,
): Promise<UploadEnd> {
  const { target } = upload.route;
  const { filename, purpose } = content;
  const facts = { definition, filename, purpose, farIds: target.farIds, nowMs: rules.now() };
  const doorId = newDoorId();
  const file: DirectFile = {
    ...storedAt(form.file, filename, rules.now()),
    shown: Buffer.from(`${doorId}/${filename}`),
    ...(type === null ? {} : { contentType: type }),
    destination: target.destination.as(definition),
    meta: metaOf(upload, purpose),
  };
  const startedMs = performance.now();
  const result = await target.uploader.upload(file, abortable ? upload.gone : rules.ending);
  const outcome = result.receipt.error?.kind ?? result.receipt.status;
  rules.metrics.uploaded(target.destination.name, outcome, (performance.now() - startedMs) / 1000);
  await recordSoon(result.receipt, rules);
  return { ...facts, result, doorId };
}

/** A receipt on a slow disk holds up no answer for longer; it is found all the same, and written as soon as it can be. */
const RECORD_WAIT_MS = 5;

async function recordSoon(receipt: Receipt, { book, log }: UploadRules): Promise<void> {
  const { recordedAt: _, ...outcome } = receipt;
  const recorded = book.record(outcome).catch((error: unknown) => {
    log.error({ path: receipt.path, reason: reasonOf(error) }, 'a receipt could not be recorded');
  });
  await Promise.race([recorded, new Promise((resolve) => setTimeout(resolve, RECORD_WAIT_MS))]);
}

/** A success or a refusal of this file: whatever else it was may be over by the next time. */
function isFinal({ receipt }: DirectResult): boolean {
  return receipt.status === 'uploaded' || receipt.error?.kind === 'rejected';
}

/** `file-` and 32 hex digits: a name of the far side may hold slashes. */
function newDoorId(): string {
  return `file-${randomUUID().replaceAll('-', '')}`;
}

async function readUpload(upload: UploadRequest, body: BodyPlan, rules: UploadRules): Promise<ReceivedForm> {
  const { request, shape, route } = upload;
  const { place, maxJsonBytes, idleMs } = rules;
  // What goes in parts is read from a disk.
  const memoryBytes = Math.min(MEMORY_BYTES, route.target.destination.parts?.aboveBytes ?? MEMORY_BYTES);
  const common = { place, idleMs, memoryBytes, ...fileLimitOf(route, rules.maxBytes) };
  return body.kind === 'json'
    ? await readJsonUpload(request, { ...common, maxJsonBytes })
    : await readForm(request, { ...common, fileField: shape.fileField, boundary: body.boundary });
}

function storedAt(
  { place, bytes, sha256 }: ReceivedFile,
  filename: string,
  nowMs: number,
): Pick<DirectFile, 'folder' | 'fileName' | 'size' | 'mtimeNs' | 'stored' | 'content' | 'sha256'> {
  const common = { fileName: Buffer.from(filename), size: bytes };
  return place.kind === 'memory'
    ? { ...common, folder: '/', mtimeNs: `${nowMs}000000`, content: { bytes: place.content, sha256 } }
    : { ...common, folder: place.folder, mtimeNs: place.mtimeNs, stored: place.name, sha256 };
}
