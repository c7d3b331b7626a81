import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../domain/errors.ts';
import { isSupportedRedis, type RedisVersion } from '../redis-version.ts';

/** Valkey is the same server under its other name. */
const BINARIES = ['redis-server', 'valkey-server'] as const;
const VERSION_TIMEOUT_MS = 5_000;

/**
 * The server to run, found through `env.PATH`.
 * Throws SlipwayError `redis_binary_missing` with the install command of this system, `redis_too_old`.
 */
export async function findRedisBinary(env: NodeJS.ProcessEnv): Promise<string> {
  const binary = process.platform === 'win32' ? null : lookUp(env.PATH ?? '');
  if (binary === null) {
    throw new SlipwayError('redis_binary_missing', { install: installHint(process.platform, osRelease()) });
  }
  const version = await versionOf(binary, env);
  if (version !== null && !isSupportedRedis(version)) {
    throw new SlipwayError('redis_too_old', { where: binary, version });
  }
  return binary;
}

/**
 * How to get a server here.
 * @param osReleaseText content of /etc/os-release, null where there is none
 */
export function installHint(platform: NodeJS.Platform, osReleaseText: string | null): string {
  if (platform === 'darwin') return 'run `brew install redis`';
  if (platform === 'win32') return 'run Slipway inside WSL2 with `sudo apt-get install redis-server`';
  const kin = osKin(osReleaseText ?? '');
  const command = LINUX_COMMANDS.find(([names]) => names.some((name) => kin.includes(name)))?.[1];
  return command === undefined
    ? 'install the package redis-server, redis or valkey with the package manager of this system'
    : `run \`${command}\``;
}

/** Arch and the newest Fedora and RHEL carry Valkey in place of Redis. */
const LINUX_COMMANDS: readonly (readonly [readonly string[], string])[] = [
  [['debian', 'ubuntu'], 'sudo apt-get install redis-server'],
  [['fedora', 'rhel', 'centos'], 'sudo dnf install redis || sudo dnf install valkey'],
  [['arch'], 'sudo pacman -S valkey'],
  [['alpine'], 'apk add redis'],
  [['suse', 'opensuse'], 'sudo zypper install redis'],
];

/** `ID` and `ID_LIKE` of os-release(5). */
function osKin(text: string): readonly string[] {
  return [...text.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? '').replaceAll(/["']/g, '').split(/[\s-]+/),
  );
}

function osRelease(): string | null {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return null;
  }
}

function lookUp(path: string): string | null {
  const folders = path.split(':').filter((folder) => folder !== '');
  for (const name of BINARIES) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** null: it does not say, so the start decides. */
function versionOf(binary: string, env: NodeJS.ProcessEnv): Promise<RedisVersion | null> {
  return new Promise((resolve) => {
    const options = { timeout: VERSION_TIMEOUT_MS, env: { PATH: env.PATH ?? '' } };
    execFile(binary, ['--version'], options, (_error, stdout) => {
      resolve(/\bv=(\d+(?:\.\d+)+)/.exec(stdout)?.[1] ?? null);
    });
  });
}
