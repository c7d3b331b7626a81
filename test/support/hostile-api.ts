/** A file API with uploads in one request, in parts, and looks; one of its calls answers as a row of hostile-rows.ts says. */
import type { DestinationDefinition } from '../../src/destinations/definition/definition.ts';
import { definitionFrom } from './destination-definitions.ts';
import { HOSTILE_RULES, type HostileRow } from './hostile-rows.ts';
import { startHttpServer, type Visit } from './http-server.ts';

export type Call = 'upload' | 'create' | 'part' | 'complete' | 'cancel' | 'look';

export interface HostileApi {
  readonly origin: string;
  /** How often each call was made. */
  readonly calls: Readonly<Record<Call, number>>;
}

/** A larger file goes in parts. */
export const PARTS_ABOVE = 100;

export async function startHostileApi(at: Call | null, row: HostileRow | null): Promise<HostileApi> {
  const calls: Record<Call, number> = { upload: 0, create: 0, part: 0, complete: 0, cancel: 0, look: 0 };
  const server = await startHttpServer(async (visit) => {
    const call = callOf(visit);
    calls[call] += 1;
    const body = row?.early === true && call === at ? null : await visit.body();
    const good = goodAnswer(call, body);
    if (call === at && row !== null) await row.answer(visit, good);
    else visit.json(200, JSON.parse(good));
  });
  return { origin: server.origin, calls };
}

function callOf({ request: { method, url = '' } }: Visit): Call {
  if (method === 'GET') return 'look';
  const last = url.split('/').at(-1) ?? '';
  if (last === 'uploads') return 'create';
  return last === 'parts' ? 'part' : last === 'complete' || last === 'cancel' ? last : 'upload';
}

function goodAnswer(call: Call, body: Buffer | null): string {
  const file = { id: 'file-1', bytes: null, status: 'processing' };
  if (call === 'complete') return JSON.stringify({ id: 'up-1', file });
  if (call === 'look') return JSON.stringify({ id: 'file-1', status: 'processed' });
  if (call === 'upload') return JSON.stringify({ ...file, read: body?.length });
  return JSON.stringify({ id: `${call}-1` });
}

export function hostileDefinition({ origin }: HostileApi, more: object = {}): DestinationDefinition {
  return definitionFrom({
    url: `${origin}/files`,
    visibility: 'private',
    token: { value: 'a-token' },
    answer: { id: '/id', bytes: '/bytes' },
    errors: HOSTILE_RULES,
    parts: {
      ...{ above: `${PARTS_ABOVE}B`, maxBytes: '64MB', partBytes: '2MB', atOnce: 1 },
      create: { url: `${origin}/uploads`, id: '/id' },
      part: { url: `${origin}/uploads/{upload}/parts`, id: '/id' },
      complete: { url: `${origin}/uploads/{upload}/complete`, partIds: 'part_ids', file: '/file' },
      cancel: { url: `${origin}/uploads/{upload}/cancel` },
    },
    ...more,
  });
}

export function waitingDefinition(api: HostileApi, deadline: string): DestinationDefinition {
  return hostileDefinition(api, {
    waitUntilReady: true,
    readiness: {
      ...{ url: `${api.origin}/files/{id}`, status: '/status', ready: ['processed'], failed: ['error'] },
      ...{ interval: '20ms', deadline, perSecond: 200 },
    },
  });
}
