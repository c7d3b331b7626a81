import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Environment } from './env.ts';

/** Absolute path of what a config says; `~/` is the home folder, since YAML has no shell to say so. */
export function placePath(path: string, baseDir: string, env: Environment): string {
  return resolve(
    baseDir,
    path.replace(/^~(?=$|\/)/, () => homeOf(env)),
  );
}

/** Where state lives without a config file (XDG Base Directory: a relative value is to be ignored). */
export function stateDir(env: Environment): string {
  const xdg = env.XDG_STATE_HOME;
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homeOf(env), '.local', 'state');
  return join(base, 'slipway');
}

/** What may be lost without harm. */
export function cacheDir(env: Environment): string {
  const xdg = env.XDG_CACHE_HOME;
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homeOf(env), '.cache');
  return join(base, 'slipway');
}

/** `/data/inbox` → `/data/inbox.manifest.json`: beside the folder, so that it is not itself a file to upload. */
export function defaultManifest(folder: string): string {
  const name = basename(folder);
  return join(dirname(folder), `${name === '' ? 'root' : name}.manifest.json`);
}

function homeOf(env: Environment): string {
  const home = env.HOME;
  return home !== undefined && isAbsolute(home) ? home : homedir();
}
