import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { sentName } from '../../src/destinations/definition/sent-name.ts';
import type { Answer, Destination, PreparedRequest, Verdict } from '../../src/destinations/destination.ts';
import type { AttemptResult, UploadFailure } from '../../src/domain/attempt.ts';
import { silentLog } from '../../src/domain/log.ts';
import { pathNameOf, pathOnDisk } from '../../src/domain/path-bytes.ts';
import {
  type HttpClient,
  type HttpClientOptions,
  openHttpClient,
} from '../../src/platform/http/http-client.ts';
import { systemClock } from '../../src/platform/waiting/clock.ts';
import { type HttpSend, type UploadTask, uploadFile } from '../../src/upload/attempt/upload-file.ts';
import { createSmallReads } from '../../src/upload/body/small-reads.ts';

/** A folder of its own for one test, gone when it ends. */
export function uploadFolder(): string {
  const root = mkdtempSync(join(tmpdir(), 'slipway-upload-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Writes a file and describes it as intake would. */
export function fileTask(root: string, name: string | Buffer, content: Buffer | string): UploadTask {
  const pathName = pathNameOf(Buffer.from(name));
  writeFileSync(pathOnDisk(root, pathName), content);
  return taskOf(root, name);
}

/** Describes a file that is there. */
export function taskOf(root: string, name: string | Buffer): UploadTask {
  const pathName = pathNameOf(Buffer.from(name));
  const stats = lstatSync(pathOnDisk(root, pathName), { bigint: true });
  return { root, name: pathName, size: Number(stats.size), mtimeNs: String(stats.mtimeNs) };
}

/** An HTTP client with patient time-outs, closed when the test ends. */
export function testClient(overrides: Partial<HttpClientOptions> = {}): HttpClient {
  const client = openHttpClient({
    connectTimeoutMs: 5_000,
    responseTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    connectionsPerOrigin: 4,
    caFile: null,
    proxies: { http: null, https: null, no: null },
    ...overrides,
  });
  onTestFinished(() => client.close());
  return client;
}

/** A destination whose API answers 200 `{"code":0}` for a success; anything else fails with the status as its code. */
export function plainDestination(url: string, overrides: Partial<Destination> = {}): Destination {
  return {
    name: 'plain',
    visibility: 'private',
    origin: new URL(url).origin,
    loopback: true,
    limits: { maxBytes: null, minBytes: null, extensions: null },
    parts: null,
    sentName: (name) => sentName(name, 'as-is'),
    authorize: async (): Promise<PreparedRequest> => ({
      method: 'POST',
      url,
      headers: { Authorization: 'Bearer only-for-tests' },
      fields: [],
      fileField: 'files',
      tokenGeneration: 1,
    }),
    judge,
    accepted() {},
    reconsider: (failure) => failure,
    close: async () => {},
    ...overrides,
  };
}

function judge({ status, body }: Answer): Verdict {
  if (status === 200 && body === '{"code":0}') {
    const accepted = {
      url: 'https://files.example/1',
      fileId: '1',
      ref: null,
      expiresAt: null,
      remote: { code: 0 },
    };
    return { kind: 'uploaded', accepted };
  }
  return { kind: 'failed', failure: failure({ code: String(status), httpStatus: status }) };
}

/** A failure with some facts of its own. */
export function failure(facts: Partial<UploadFailure> = {}): UploadFailure {
  return {
    kind: 'rejected',
    code: 'refused',
    message: 'refused',
    httpStatus: null,
    retryAfterMs: null,
    ...facts,
  };
}

/** One attempt with everything the test does not care about filled in. */
export function attempt(
  task: UploadTask,
  destination: Destination,
  send: HttpSend,
  options: { readonly signal?: AbortSignal; readonly localDisk?: boolean } = {},
): Promise<AttemptResult> {
  const { signal = new AbortController().signal, localDisk = true } = options;
  const smallReads = createSmallReads(localDisk, systemClock.monotonicMs);
  return uploadFile(task, destination, send, { clock: systemClock, signal, log: silentLog, smallReads });
}
