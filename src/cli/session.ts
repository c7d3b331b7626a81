import { findConfigFile } from '../config/find-config.ts';
import { type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { SenderOptions } from '../notify/send/open-sender.ts';
import { type HttpClient, type HttpClientOptions, openHttpClient } from '../platform/http/http-client.ts';
import { proxiesOf } from '../platform/http/http-proxy.ts';
import { openLogger } from '../runtime/logger.ts';
import type { NotifyOptions } from '../runtime/owner/source-owner-options.ts';
import { endpointsOf } from '../runtime/plans/endpoint-plans.ts';

/** Flags that every command takes. */
export interface SharedFlags {
  readonly config?: string;
  readonly logLevel?: string;
}

/** What a command works with once the configuration is read. */
export interface Session extends LoadedConfig {
  readonly log: Log;
}

/**
 * Reads the configuration a command line means.
 * @param needsFile false: without a file every default holds
 * @throws SlipwayError `config_…`
 */
export async function openSession(flags: SharedFlags, needsFile: boolean): Promise<Session> {
  const cwd = process.cwd();
  const file = await findConfigFile({ flag: flags.config, env: process.env, cwd });
  if (file === null && needsFile) throw new SlipwayError('config_missing', { file: 'slipway.yaml' });
  const loaded = await loadConfig({ file, env: process.env, cwd, flags: { logLevel: flags.logLevel } });
  const log = openLogger(loaded.config.log.level);
  for (const warning of loaded.warnings) log.warn({}, warning);
  return { ...loaded, log };
}

/** How a process of this session speaks HTTP. */
export function httpOptions({ config, env }: Session, connectionsPerOrigin: number): HttpClientOptions {
  const { connect, response, idle } = config.timeouts;
  return {
    connectTimeoutMs: connect,
    responseTimeoutMs: response,
    idleTimeoutMs: idle,
    connectionsPerOrigin,
    caFile: config.network.caFile,
    proxies: proxiesOf(env),
  };
}

/** The one HTTP client of a process. */
export function sessionHttp(session: Session, connectionsPerOrigin: number): HttpClient {
  return openHttpClient(httpOptions(session, connectionsPerOrigin));
}

/** How a process of this session reaches those it tells. */
export function senderOptions(session: Session): SenderOptions {
  return { http: httpOptions(session, 1), env: process.env };
}

/** Who is told of the sources of this session, and how. */
export function tellingOf(session: Session): NotifyOptions {
  return {
    endpointsOf: (source) => endpointsOf(session.config, source),
    senders: senderOptions(session),
  };
}
