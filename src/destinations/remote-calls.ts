import type { DestinationDefinition, RemoteCallName } from './definition/definition.ts';
import type { SentCredentials } from './readiness-port.ts';

/** A call with its credentials. */
export interface PreparedRemoteCall {
  readonly method: 'GET' | 'DELETE' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Which reading of the token it carries. */
  readonly tokenGeneration: number;
}

/** What can be done at the far side with files that are there. */
export interface RemoteCalls {
  can(name: RemoteCallName): boolean;
  /**
   * @param id of the file there; a list has none
   * @param query added to the URL as it is
   * @throws SlipwayError `token_…`
   */
  prepare(
    name: RemoteCallName,
    target: { readonly id?: string; readonly query?: string },
    signal: AbortSignal,
  ): Promise<PreparedRemoteCall>;
  /** The far side refused this reading of the token: the next call goes with another. */
  refused(call: PreparedRemoteCall): void;
}

export function openRemoteCalls(
  { calls, name: destination }: DestinationDefinition,
  credentials: {
    readonly authorized: (signal: AbortSignal) => Promise<SentCredentials>;
    readonly refused: (generation: number) => void;
  },
): RemoteCalls {
  return {
    can: (name) => calls[name] !== undefined,
    async prepare(name, { id = '', query = '' }, signal) {
      const call = calls[name];
      if (call === undefined) throw new TypeError(`${destination} has no call ${name}`);
      const { headers, tokenGeneration } = await credentials.authorized(signal);
      const url = call.url.replace('{id}', () => encodeURIComponent(id.toWellFormed()));
      const joined = query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`;
      return { method: call.method, url: joined, headers, tokenGeneration };
    },
    refused: ({ tokenGeneration }) => credentials.refused(tokenGeneration),
  };
}
