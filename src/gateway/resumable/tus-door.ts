import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Server, type Upload } from '@tus/server';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { isReceivedId } from '../../domain/received-source.ts';
import { receivedType } from '../../operations/receive/content-type.ts';
import { receivedFileAt } from '../../operations/receive/file-at.ts';
import { safeFileName } from '../../operations/receive/file-name.ts';
import type { Caller } from '../access/keyring.ts';
import type { OpenRoute } from '../entry.ts';
import { fileLimitOf } from '../file-limit.ts';
import { checkLimits, planUpload } from '../plan-upload.ts';
import { Refusal } from '../refusal.ts';
import type { UploadRules } from '../upload-door.ts';
import {
  CHECKSUM_ALGORITHMS,
  type Checksum,
  NOT_FOUND,
  type TusRefusal,
  TusStore,
  type UploadOwner,
  withOwner,
} from './tus-store.ts';

/** Who asks. */
export interface TusRequest {
  readonly route: OpenRoute;
  readonly caller: Caller | null;
  readonly requestId: string;
  /** The upload it is about; null: a new one. */
  readonly id: string | null;
}

/** Uploads that survive a connection, and a restart of the door: tus 1.0. */
export interface TusDoor {
  /** Answers a request by itself. */
  handle(request: IncomingMessage, response: ServerResponse, asked: TusRequest): Promise<void>;
  close(): void;
}

export interface TusDoorOptions {
  readonly dataDir: string;
  readonly routes: readonly OpenRoute[];
  readonly allowedOrigins: ReadonlySet<string>;
  readonly rules: UploadRules;
}

interface Asked extends TusRequest {
  readonly checksum: Checksum | null;
}

const SWEEP_MS = 60 * 60 * 1_000;
const BAD_CHECKSUM: TusRefusal = {
  status_code: 400,
  body: `Upload-Checksum must be one of ${CHECKSUM_ALGORITHMS.join(', ')} and its value in base64\n`,
};

/**
 * Opens the place of unfinished uploads. What was whole when the door was killed is taken into the queue now.
 * @throws SlipwayError `data_dir`
 */
export async function openTusDoor(options: TusDoorOptions): Promise<TusDoor> {
  const { rules, routes, allowedOrigins } = options;
  const { log, now } = rules;
  const folder = await tusFolder(options.dataDir);
  const asking = new AsyncLocalStorage<Asked>();
  const store = new TusStore({
    ...{ folder, disk: rules.place.disk },
    checksum: () => asking.getStore()?.checksum ?? null,
    handedOn: (id) => handedOn.has(id) || rules.book.accepted.find(fileIdOf(id)) !== null,
  });
  /** Of this process: those whose receipts are recorded are in no table. */
  const handedOn = new Set<string>();

  async function finish(id: string): Promise<string> {
    const fileId = fileIdOf(id);
    if ((await rules.book.stateOf(fileId)) !== null) return fileId;
    const known = await store.ownerOf(id);
    const route = routes.find(({ prefix }) => prefix === known?.route);
    if (known === null || route === undefined) throw NOT_FOUND;
    await takeIn(known, route, { fileId, path: store.pathOf(id) }, rules);
    handedOn.add(id);
    return fileId;
  }

  const server = new Server({
    path: '/tus',
    datastore: store,
    relativeLocation: true,
    disableTerminationForFinishedUploads: true,
    allowedOrigins: (origin) => allowedOrigins.has(origin),
    maxSize: () => fileLimitOf(askedNow(asking).route, rules.maxBytes).maxBytes,
    namingFunction: () => randomUUID().replaceAll('-', ''),
    generateUrl: (_request, { id }) => `${prefixOf(askedNow(asking).route)}/tus/${id}`,
    getFileIdFromRequest: (_request, last) => (isReceivedId(fileIdOf(last ?? '')) ? last : undefined),
    async onIncomingRequest(_request, id) {
      const asked = askedNow(asking);
      if (asked.id === null) return;
      // Of somebody else: as if there were none.
      if (!isTheirs(await store.ownerOf(id), asked)) throw NOT_FOUND;
      if (!handedOn.has(id) && (await rules.book.stateOf(fileIdOf(id))) !== null) handedOn.add(id);
    },
    async onUploadCreate(_request, upload) {
      return { metadata: begun(upload, askedNow(asking), rules) };
    },
    async onUploadFinish(_request, upload) {
      const fileId = await finish(upload.id);
      return { headers: { 'Slipway-File': `${prefixOf(askedNow(asking).route)}/v1/files/${fileId}` } };
    },
    onResponseError: (_request, error) => refusalOf(error, rules),
  });

  for (const id of await store.sweep(now(), false)) await finishLeft(id);
  async function finishLeft(id: string): Promise<void> {
    await finish(id).catch((error: unknown) =>
      log.warn({ upload: id, reason: reasonOf(error) }, 'an upload that was whole could not be taken in'),
    );
  }
  const timer = setInterval(() => {
    store.sweep(now(), true).catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'not swept'));
  }, SWEEP_MS);
  timer.unref();

  return {
    async handle(request, response, asked) {
      const checksum = checksumOf(request.headers['upload-checksum']);
      if (request.method === 'OPTIONS')
        response.setHeader('Tus-Checksum-Algorithm', CHECKSUM_ALGORITHMS.join(','));
      if (checksum === 'bad') {
        response.writeHead(BAD_CHECKSUM.status_code, { 'tus-resumable': '1.0.0' }).end(BAD_CHECKSUM.body);
        return;
      }
      const fileId = fileIdOf(asked.id ?? '');
      // Whoever lost the last answer learns here what became of it.
      if (request.method === 'HEAD' && (await rules.book.stateOf(fileId)) !== null)
        response.setHeader('Slipway-File', `${prefixOf(asked.route)}/v1/files/${fileId}`);
      await asking.run({ ...asked, checksum }, () => server.handle(request, response));
    },
    close: () => clearInterval(timer),
  };
}

/** An upload that may be: counted, and marked with who began it. @throws Refusal */
function begun(upload: Upload, asked: Asked, { meter }: UploadRules): NonNullable<Upload['metadata']> {
  const { caller, route, requestId } = asked;
  planOf(upload, route);
  if (caller !== null) meter.bytes(caller.name, caller.limits, upload.size ?? 0);
  return withOwner(upload.metadata, { route: route.prefix, key: keyOf(asked), request: requestId });
}

function isTheirs(owner: UploadOwner | null, asked: Asked): boolean {
  return owner !== null && owner.route === asked.route.prefix && owner.key === keyOf(asked);
}

async function tusFolder(dataDir: string): Promise<string> {
  const folder = join(dataDir, 'gateway', 'tus');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SlipwayError('data_dir', { path: folder, reason: reasonOf(error) }, { cause: error });
  }
  return folder;
}

function askedNow(asking: AsyncLocalStorage<Asked>): Asked {
  const asked = asking.getStore();
  if (asked === undefined) throw new TypeError('outside a request');
  return asked;
}

/** The id it has once it is whole. */
function fileIdOf(uploadId: string): string {
  return `file-${uploadId}`;
}

function prefixOf({ prefix }: OpenRoute): string {
  return prefix === '/' ? '' : prefix;
}

function keyOf({ caller }: TusRequest): string {
  return caller?.name ?? '';
}

/** What is to be done with it. @throws Refusal 400, 413 */
function planOf({ metadata, size }: Pick<Upload, 'metadata' | 'size'>, route: OpenRoute) {
  const { target } = route;
  const purpose = metadata?.purpose ?? '';
  const fields = new Map(purpose === '' ? [] : [['purpose', purpose]]);
  const plan = planUpload(fields, target.destination.definition, route.fields, 'vectorx');
  const name = safeFileName(metadata?.filename ?? '');
  checkLimits(target.with(plan.fields), { name, bytes: size ?? 0 });
  return { ...plan, name, filetype: metadata?.filetype ?? null };
}

async function takeIn(
  { upload, key, request }: UploadOwner & { readonly upload: Upload },
  route: OpenRoute,
  { fileId, path }: { readonly fileId: string; readonly path: string },
  { later, metrics, now }: UploadRules,
): Promise<void> {
  const { name, fields, purpose, filetype } = planOf(upload, route);
  const file = await receivedFileAt(path);
  metrics.received(file.bytes);
  await later.acceptance.accept(file, {
    ...{ id: fileId, name, destination: route.target.destination.name, fields },
    contentType: await receivedType(filetype, file.head),
    acceptedAtMs: now(),
    meta: { request_id: request, purpose: purpose.slice(0, 200), ...(key === '' ? {} : { key }) },
  });
}

function checksumOf(header: string | string[] | undefined): Checksum | null | 'bad' {
  if (header === undefined) return null;
  const [, algorithm = '', value = ''] = /^([a-z0-9]+) ([A-Za-z0-9+/]+=*)$/.exec(String(header)) ?? [];
  return CHECKSUM_ALGORITHMS.includes(algorithm) ? { algorithm, value } : 'bad';
}

/** The library speaks of its own errors; the door's keep their status. */
function refusalOf(error: unknown, { log }: UploadRules): TusRefusal | undefined {
  if (error instanceof Refusal) return { status_code: error.status, body: `${error.message}\n` };
  if (error instanceof SlipwayError) {
    const status = error.kind === 'usage' ? 400 : 503;
    return { status_code: status, body: `${error.message}\n` };
  }
  const known = typeof (error as Partial<TusRefusal>).status_code === 'number';
  if (!known) log.error({ reason: reasonOf(error) }, 'a resumable upload failed');
  return known ? undefined : { status_code: 500, body: 'unexpected: see the log of the gateway\n' };
}
