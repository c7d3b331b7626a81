import type { RemoteCallName } from '../../destinations/definition/definition.ts';
import type { OpenDestination } from '../../destinations/open-destination.ts';
import type { HttpClient, HttpStream } from '../../platform/http/http-client.ts';

/** Lists of ten thousand files are a few megabytes. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** What the far side said of files that are there. */
export interface RemoteAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As it came, without our credentials. */
  readonly body: string;
}

export interface RemoteQuestion {
  readonly name: Exclude<RemoteCallName, 'content'>;
  /** Of the file there; a list has none. */
  readonly id?: string;
  readonly query?: string;
}

/**
 * Asks the far side about files that are there. A refused token is read again and asked with once more.
 * @throws SlipwayError `token_…`, `connection`, `timeout`, `answer_too_large`, or the signal's reason
 */
export async function askFarSide(
  destination: OpenDestination,
  { name, id, query }: RemoteQuestion,
  http: Pick<HttpClient, 'send'>,
  signal: AbortSignal,
): Promise<RemoteAnswer> {
  const target = { ...(id === undefined ? {} : { id }), ...(query === undefined ? {} : { query }) };
  for (let first = true; ; first = false) {
    const call = await destination.remote.prepare(name, target, signal);
    const { method, url, headers } = call;
    const answer = await http.send({
      ...{ method, url, headers, signal, body: null, contentLength: 0, maxResponseBytes: MAX_ANSWER_BYTES },
    });
    if (answer.status === 401) destination.remote.refused(call);
    if (answer.status === 401 && first) continue;
    return { ...answer, body: destination.withoutSecrets(answer.body, headers) };
  }
}

/** The content of a file at the far side, as it comes. Throws as `askFarSide`. */
export async function farContent(
  destination: OpenDestination,
  id: string,
  http: Pick<HttpClient, 'stream'>,
  signal: AbortSignal,
): Promise<HttpStream> {
  for (let first = true; ; first = false) {
    const call = await destination.remote.prepare('content', { id }, signal);
    const { method, url, headers } = call;
    const answer = await http.stream({ method, url, headers, signal });
    if (answer.status === 401) destination.remote.refused(call);
    if (answer.status !== 401 || !first) return answer;
    answer.body.destroy();
  }
}
