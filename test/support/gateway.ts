import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import type { Log } from '../../src/domain/log.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { openRoutes } from '../../src/gateway/open-routes.ts';
import { startGateway } from '../../src/gateway/start-gateway.ts';
import { notifyOptions } from '../../src/runtime/compose.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';

/** A door for one test, with a data folder of its own. */
export interface TestGateway {
  readonly url: string;
  readonly dataDir: string;
  /** The receipts that are recorded. */
  receipts(): readonly Receipt[];
  /** Every line of the log, as `{level, message, …fields}`. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Names of the files that are kept of uploads under way. */
  incoming(): readonly string[];
  /** Names of the files that are kept to be sent. */
  accepted(): readonly string[];
  stop(): Promise<boolean>;
}

/** The four destinations of a sandbox, under `autoglm`, `agent`, `qwen` and `openai`. */
export function sandboxDestinations(sandbox: Sandbox): Record<string, unknown> {
  return {
    autoglm: { preset: 'autoglm', url: sandbox.autoglmUrl, token: { url: sandbox.tokenUrl } },
    agent: { preset: 'vectorx', url: sandbox.vectorxUrl },
    qwen: { preset: 'dashscope', params: { base: sandbox.dashscopeBase }, token: { env: 'API_KEY' } },
    openai: { preset: 'openai', params: { base: sandbox.openaiBase }, token: { env: 'API_KEY' } },
  };
}

/** Where a door keeps what it has: for tests that open it again. */
export function gatewayFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-gateway-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens a door on a free port of 127.0.0.1, with this config file. */
export async function gatewayForTest(
  config: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
  folder: string = gatewayFolder(),
  port = 0,
): Promise<TestGateway> {
  const file = join(folder, 'slipway.yaml');
  writeFileSync(file, JSON.stringify({ dataDir: 'data', ...config }));
  const loaded = await loadConfig({ file, env: { API_KEY: 'sk-of-the-door', ...env }, cwd: folder });
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log = collecting(lines);
  const opened = openRoutes(loaded, { to: undefined, log });
  const gateway = await startGateway({
    config: loaded.config,
    options: { host: '127.0.0.1', port },
    routes: opened.routes,
    later: opened,
    telling: notifyOptions(loaded),
    env: loaded.env,
    placed: (path) => resolve(folder, path),
    log,
  });
  let stopped: Promise<boolean> | null = null;
  const stop = (): Promise<boolean> => {
    stopped ??= gateway.stop(1_000).finally(() => opened.close());
    return stopped;
  };
  onTestFinished(async () => void (await stop()));
  const { dataDir } = loaded.config;
  return {
    url: gateway.url,
    dataDir,
    log: lines,
    receipts: () =>
      readFileSync(join(dataDir, 'gateway.manifest.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Receipt),
    incoming: () => readdirSync(join(dataDir, 'gateway', 'incoming')),
    accepted: () => readdirSync(join(dataDir, 'gateway', 'accepted')),
    stop,
  };
}

function collecting(lines: Readonly<Record<string, unknown>>[]): Log {
  const at =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void =>
      void lines.push({ level, message, ...fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A form with one file, as undici's FormData and fetch send it. */
export function formOf(
  file: { readonly name: string; readonly content: string | Buffer; readonly type?: string },
  fields: Readonly<Record<string, string>> = {},
  fileField = 'file',
): FormData {
  const form = new FormData();
  const content = typeof file.content === 'string' ? file.content : new Uint8Array(file.content);
  form.append(fileField, new File([content], file.name, { type: file.type ?? '' }));
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}
