import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { runTokenCommand } from './token-command.ts';
import type { TokenSource } from './token-options.ts';
import { tokenIn } from './token-text.ts';

/** GET of a small text, as the HTTP client offers it. */
export type FetchText = (
  url: string,
  options: { readonly timeoutMs: number; readonly maxBytes: number; readonly signal: AbortSignal },
) => Promise<{ readonly status: number; readonly body: string }>;

export interface TokenPorts {
  readonly fetchText: FetchText;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A token source that can be read. */
export interface OpenTokenSource {
  /** For people: an origin, a name, a path; never a secret. */
  readonly where: string;
  /** False where only a refusal or a change makes reading again worth while. */
  readonly expires: boolean;
  /** Whether it may be asked every few seconds. */
  readonly cheap: boolean;
  /** One reading. Throws SlipwayError `token_*`, or the signal's reason. */
  read(signal: AbortSignal): Promise<string>;
  /** Whether it may hold another token than at the last reading. */
  changed(): Promise<boolean>;
}

const MAX_TOKEN_BYTES = 64 * 1024;

const never = (): Promise<boolean> => Promise.resolve(false);

/** Opens what the config names. Nothing is read yet. */
export function openTokenSource(source: TokenSource, ports: TokenPorts): OpenTokenSource {
  if ('url' in source) return fromUrl(source, ports.fetchText);
  if ('file' in source) return fromFile(source.file);
  if ('command' in source) return fromCommand(source, ports.env);
  if ('env' in source) {
    const where = `environment variable ${source.env}`;
    return {
      where,
      expires: false,
      cheap: true,
      changed: never,
      read: async () => present(ports.env[source.env], where),
    };
  }
  const where = 'token.value in the config';
  return {
    where,
    expires: false,
    cheap: true,
    changed: never,
    read: async () => tokenIn(source.value, where),
  };
}

function present(text: string | undefined, where: string): string {
  if (text === undefined || text.trim() === '') throw new SlipwayError('token_missing', { where });
  return tokenIn(text, where);
}

function fromUrl(
  source: { readonly url: string; readonly timeout: number },
  fetchText: FetchText,
): OpenTokenSource {
  // The path or query may hold a key of its own: the origin is all that is ever said.
  const where = new URL(source.url).origin;
  return {
    where,
    expires: true,
    cheap: true,
    changed: never,
    async read(signal) {
      const { status, body } = await reach(fetchText, source, where, signal);
      if (status >= 200 && status <= 299) return tokenIn(body, where);
      // 408, 429 and 5xx pass by themselves; anything else is a wrong address or a missing log-in.
      if (status >= 500 || status === 408 || status === 429) {
        throw new SlipwayError('token_service_unreachable', { where, reason: `HTTP ${status}` });
      }
      throw new SlipwayError('token_service_refused', { where, status });
    },
  };
}

async function reach(
  fetchText: FetchText,
  { url, timeout }: { readonly url: string; readonly timeout: number },
  where: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  try {
    return await fetchText(url, { timeoutMs: timeout, maxBytes: MAX_TOKEN_BYTES, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new SlipwayError('token_service_unreachable', { where, reason: reasonOf(error) }, { cause: error });
  }
}

function fromFile(path: string): OpenTokenSource {
  const where = `file ${path}`;
  let seen = '';
  return {
    where,
    expires: false,
    cheap: true,
    async read(signal) {
      try {
        // Before reading: a change in between is then noticed at the next look instead of never.
        seen = await fingerprint(path);
        const text = await readFile(path, { encoding: 'utf8', signal });
        return tokenIn(text.slice(0, MAX_TOKEN_BYTES), where);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof SlipwayError) throw error;
        throw new SlipwayError('token_unreadable', { where, reason: reasonOf(error) }, { cause: error });
      }
    },
    async changed() {
      try {
        return (await fingerprint(path)) !== seen;
      } catch {
        // Gone for the moment, as while it is replaced: the token in hand goes on serving.
        return false;
      }
    },
  };
}

/** Follows links: mounted secrets are replaced by turning a symbolic link. */
async function fingerprint(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true });
  return `${ino}:${size}:${mtimeNs}`;
}

function fromCommand(
  source: { readonly command: string | readonly string[]; readonly timeout: number },
  env: Readonly<Record<string, string | undefined>>,
): OpenTokenSource {
  const { command, timeout: timeoutMs } = source;
  // A shell text may begin with `KEY=secret`, arguments may be secret: only a plain program name is ever said.
  const where = typeof command === 'string' ? 'command (shell)' : `command ${basename(command[0] ?? '')}`;
  return {
    where,
    expires: true,
    cheap: false,
    changed: never,
    read: async (signal) => tokenIn(await runTokenCommand({ command, timeoutMs, where, env }, signal), where),
  };
}
