import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

/** What a server can and cannot do; null: no such limit. Nobody tells the client. */
export interface ServerLimits {
  /** Uploads in any sliding second (or `windowMs`); more are refused. */
  readonly quotaPerSecond: number | null;
  readonly windowMs: number;
  /** So long after the first request the quota is ten times as much. */
  readonly raisedAfterMs: number | null;
  /** What is refused for the quota gets this: 429, or 503 with a page as nginx's `limit_req` answers. */
  readonly refusedWith: { readonly status: 429 | 503; readonly retryAfterS: number | null };
  /** Uploads served at once, `serviceMs` each; more wait their turn. */
  readonly knee: number | null;
  readonly serviceMs: number;
  /** Uploads in the house above which one gets 503. */
  readonly rejectAbove: number | null;
  /** After so many accepted uploads nothing is taken for so long. */
  readonly outage: { readonly afterFiles: number; readonly ms: number; readonly dress?: Dress } | null;
  /** Share of uploads that get 500. */
  readonly failing: number;
  /** This file always gets 500. */
  readonly poison: string | null;
}

/** What an outage looks like; 503 of the API unless said otherwise. */
export type Dress = '503' | 'refused' | 'login page' | '403 page' | 'gzip garbage';

export const NO_LIMITS: ServerLimits = {
  ...{ windowMs: 1_000, raisedAfterMs: null, refusedWith: { status: 429, retryAfterS: null } },
  ...{ quotaPerSecond: null, knee: null, serviceMs: 0, rejectAbove: null, outage: null, failing: 0 },
  poison: null,
};

export interface SeenRequest {
  readonly atMs: number;
  readonly filename: string;
  readonly status: number;
  /** In the house, this one included. */
  readonly inFlight: number;
}

export interface PacedServer {
  readonly url: string;
  /** In order of arrival; times are epoch milliseconds. */
  readonly requests: readonly SeenRequest[];
  /** When each upload was accepted. */
  readonly acceptedAtMs: readonly number[];
  outage(): { readonly fromMs: number; readonly untilMs: number } | null;
  close(): Promise<void>;
}

/** A file API on 127.0.0.1 with limits that its client has to find out. */
export async function startPacedServer(limits: ServerLimits): Promise<PacedServer> {
  const requests: SeenRequest[] = [];
  const acceptedAtMs: number[] = [];
  const waiting: (() => void)[] = [];
  let taken: number[] = [];
  let inFlight = 0;
  let serving = 0;
  let outage: { fromMs: number; untilMs: number } | null = null;
  let random = 1;

  function refusal(filename: string, nowMs: number): number | null {
    if (limits.outage !== null && outage === null && acceptedAtMs.length >= limits.outage.afterFiles)
      outage = { fromMs: nowMs, untilMs: nowMs + limits.outage.ms };
    if (outage !== null && nowMs < outage.untilMs) return 503;
    if (limits.rejectAbove !== null && inFlight > limits.rejectAbove) return 503;
    if (filename === limits.poison) return 500;
    if (limits.failing > 0) {
      random = (random * 48_271) % 2_147_483_647;
      if (random / 2_147_483_647 < limits.failing) return 500;
    }
    if (limits.quotaPerSecond === null) return null;
    const { windowMs, raisedAfterMs, refusedWith } = limits;
    taken = taken.filter((atMs) => atMs > nowMs - windowMs);
    const isRaised = raisedAfterMs !== null && nowMs > (requests[0]?.atMs ?? nowMs) + raisedAfterMs;
    const most = (limits.quotaPerSecond * windowMs * (isRaised ? 10 : 1)) / 1_000;
    if (taken.length >= Math.round(most)) return refusedWith.status;
    taken.push(nowMs);
    return null;
  }

  async function serve(): Promise<void> {
    if (limits.knee !== null && serving >= limits.knee) await new Promise<void>((go) => waiting.push(go));
    else serving += 1;
    await sleep(limits.serviceMs);
    const next = waiting.shift();
    // The hand goes to the next in line without being free in between.
    if (next === undefined) serving -= 1;
    else next();
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = Date.now();
    inFlight += 1;
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const filename = /filename="([^"]*)"/.exec(Buffer.concat(chunks).toString('latin1'))?.[1] ?? '';
      const status = refusal(filename, atMs) ?? 200;
      requests.push({ atMs, filename, status, inFlight });
      if (status === 200) {
        await serve();
        acceptedAtMs.push(Date.now());
      }
      if (status === 200) answerJson(response, 200, { id: filename });
      else refuse(response, status, outage !== null && atMs < outage.untilMs);
    } finally {
      inFlight -= 1;
    }
  }

  function refuse(response: ServerResponse, status: number, isOutage: boolean): void {
    const { dress = '503' } = limits.outage ?? {};
    const { retryAfterS } = limits.refusedWith;
    if (isOutage && dress !== '503') {
      dressed(response, dress);
      return;
    }
    if (!isOutage && status === limits.refusedWith.status && retryAfterS !== null)
      response.setHeader('retry-after', String(retryAfterS));
    if (!isOutage && status === 503 && limits.refusedWith.status === 503)
      answerPage(response, 503, '503 Service Temporarily Unavailable');
    else answerJson(response, status, { error: { message: 'not now' } });
  }

  const server = createServer((request, response) => {
    // A client that goes away is counted like any other.
    respond(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/files`,
    requests,
    acceptedAtMs,
    outage: () => outage,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function dressed(response: ServerResponse, dress: Exclude<Dress, '503'>): void {
  switch (dress) {
    case 'refused':
      response.destroy();
      return;
    case 'login page':
      answerPage(response, 200, 'Sign in to the network');
      return;
    case '403 page':
      answerPage(response, 403, 'Request blocked');
      return;
    case 'gzip garbage':
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync('not what this API says').subarray(0, 20));
  }
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function answerPage(response: ServerResponse, status: number, title: string): void {
  const text = `<html><head><title>${title}</title></head><body>…</body></html>`;
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(text);
}
