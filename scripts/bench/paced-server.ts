import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a server can and cannot do; null: no such limit. Nobody tells the client. */
export interface ServerLimits {
  /** Uploads in any sliding second; more get 429. */
  readonly quotaPerSecond: number | null;
  /** Uploads served at once, `serviceMs` each; more wait their turn. */
  readonly knee: number | null;
  readonly serviceMs: number;
  /** Uploads in the house above which one gets 503. */
  readonly rejectAbove: number | null;
  /** After so many accepted uploads everything gets 503 for so long. */
  readonly outage: { readonly afterFiles: number; readonly ms: number } | null;
  /** Share of uploads that get 500. */
  readonly failing: number;
  /** This file always gets 500. */
  readonly poison: string | null;
}

export const NO_LIMITS: ServerLimits = {
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
    taken = taken.filter((atMs) => atMs > nowMs - 1_000);
    if (taken.length >= limits.quotaPerSecond) return 429;
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
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(status === 200 ? { id: filename } : { error: { message: 'not now' } }));
    } finally {
      inFlight -= 1;
    }
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
