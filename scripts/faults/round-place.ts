import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';

/** Names that make up a file version's id. */
export const SOURCE = 'inbox';
export const DESTINATION = 'demo';

const DISK_MEGABYTES = 96;
const EVERY_EVENT = ['file.uploaded', 'file.failed', 'file.skipped'];

/** Where one round lives. What Slipway keeps lies on a small disk of its own where that can be had. */
export interface RoundPlace {
  readonly folder: string;
  readonly inbox: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly journal: string;
  readonly logs: string;
  /** The small disk that may be filled; null where nothing can be mounted (it needs root on Linux). */
  readonly disk: string | null;
  readonly env: NodeJS.ProcessEnv;
  /** Every whole line of the journal. */
  receipts(): Promise<Receipt[]>;
  /** @param keep leaves the folder for whoever looks into a violation; the disk's content is copied out */
  close(keep: boolean): Promise<void>;
}

export interface PlaceOptions {
  /** Uploads at once per process, at most. */
  readonly concurrency: number;
  /** Who is told of everything; left out: nobody. */
  readonly hook?: { readonly url: string; readonly secret: string };
  /** A Redis of its own in place of the private one. */
  readonly redisUrl?: string;
  /** `timeouts.response`. */
  readonly responseTimeout?: string;
}

/** Makes the folders and the config. */
export async function openRoundPlace(sandbox: Sandbox, options: PlaceOptions): Promise<RoundPlace> {
  // Short: the socket of the private Redis shall fit into the data folder.
  const folder = await realpath(await mkdtemp('/tmp/sw-faults-'));
  const state = join(folder, 'state');
  const inbox = join(folder, 'inbox');
  const logs = join(folder, 'logs');
  for (const path of [state, inbox, logs, join(folder, 'home')]) await mkdir(path);
  const mounted = mountedDisk(state);
  const dataDir = join(state, 'data');
  const configFile = join(folder, 'slipway.yaml');
  const manifest = join(state, 'inbox.manifest.json');
  const journal = join(state, 'inbox.manifest.jsonl');
  // JSON is YAML. Tries end late: no storm of faults may make a file fail for good.
  await writeFile(configFile, JSON.stringify(configOf(sandbox, { dataDir, inbox, manifest, ...options })));
  const { PATH } = process.env;
  return {
    folder,
    inbox,
    dataDir,
    configFile,
    journal,
    logs,
    disk: mounted ? state : null,
    env: { PATH, HOME: join(folder, 'home'), TMPDIR: '/tmp', LANG: 'C.UTF-8' },

    async receipts() {
      const text = await readFile(journal, 'utf8').catch(() => '');
      const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Receipt);
    },

    async close(keep) {
      if (mounted && keep) spawnSync('cp', ['-a', state, join(folder, 'state-kept')]);
      if (mounted) spawnSync('umount', ['-l', state]);
      if (!keep) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function mountedDisk(path: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const options = ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', path];
  return spawnSync('mount', options).status === 0;
}

function configOf(
  { autoglmUrl, tokenUrl }: Sandbox,
  facts: PlaceOptions & { dataDir: string; inbox: string; manifest: string },
): object {
  const { dataDir, inbox, manifest, concurrency, redisUrl, hook, responseTimeout = '3s' } = facts;
  return {
    dataDir,
    ...(redisUrl === undefined ? {} : { redis: { url: redisUrl } }),
    destinations: {
      [DESTINATION]: {
        preset: 'autoglm',
        url: autoglmUrl,
        token: { url: tokenUrl },
        concurrency: { initial: Math.min(4, concurrency), max: concurrency, adaptive: true },
      },
    },
    sources: {
      [SOURCE]: { path: inbox, destination: DESTINATION, settle: '300ms', rescan: '3s', manifest },
    },
    webhooks: hook === undefined ? [] : [{ ...hook, name: 'harness', events: EVERY_EVENT }],
    queue: { maxPending: 500 },
    retry: { attempts: 100, baseDelay: '50ms', maxDelay: '1s' },
    timeouts: { connect: '2s', response: responseTimeout, idle: responseTimeout },
    shutdown: { drain: '10s' },
  };
}
