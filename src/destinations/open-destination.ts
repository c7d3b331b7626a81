import type { UploadFailure } from '../domain/attempt.ts';
import { type ErrorCode, type ErrorDetails, errorMessage, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { isLoopbackHost } from '../platform/http/http-proxy.ts';
import { orderedSecrets, redactText, type Secrets } from './answer/redact-secrets.ts';
import { createRefusalCount } from './answer/refusal-count.ts';
import { judgeAnswer } from './answer/verdict.ts';
import type { DestinationDefinition } from './definition/definition.ts';
import { HEADER_VALUE } from './definition/definition-schema.ts';
import { fieldsFor } from './definition/field-templates.ts';
import type { Answer, AuthorizedRequest, Destination, Verdict } from './destination.ts';
import { openParts, type PartsMeans, type RequestCredentials } from './open-parts.ts';
import { openReadiness, type ReadinessCredentials, type ReadinessPort } from './readiness-port.ts';
import { openRemoteCalls, type RemoteCalls } from './remote-calls.ts';
import { signatureHeaders } from './signer.ts';
import { createSigningClock } from './signing-clock.ts';
import { createCachedToken } from './token/cached-token.ts';
import { type FetchText, openTokenSource } from './token/token-source.ts';
import { authorizationValue, withoutScheme } from './token/token-text.ts';

export interface DestinationPorts {
  readonly fetchText: FetchText;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Where `token.env` and a token command look. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface OpenDestination extends Destination {
  readonly definition: DestinationDefinition;
  /** null: nothing to wait for. */
  readonly readiness: ReadinessPort | null;
  /** Why the token cannot be read at present, for `status`; null when it can. */
  tokenProblem(): string | null;
  /** Whether its source holds another token by now than the one last used; read afresh. Never of a command's. */
  tokenChanged(): Promise<boolean>;
  /** The same destination (token, clock, refusals) with other text fields, and the limits that hang on them. */
  as(definition: DestinationDefinition): Destination;
  /** Calls about files that are there. */
  readonly remote: RemoteCalls;
  /** A text that the far side sent, without the credentials it was sent with these headers (G5). */
  withoutSecrets(text: string, headers: Readonly<Record<string, string>>): string;
}

/** Brings a definition to life: token, signature, verdict and what refusals lead to. Nothing is sent or read yet. */
export function openDestination(definition: DestinationDefinition, ports: DestinationPorts): OpenDestination {
  const { name, auth, signer } = definition;
  const { log, now, random } = ports;
  const url = new URL(definition.url);
  const source = definition.token === null ? null : openTokenSource(definition.token, ports);
  const token = source === null ? null : createCachedToken({ source, destination: name, log, now, random });
  const clock = createSigningClock(now);
  const refusals = createRefusalCount();
  const ownSecrets = [...secretsIn(definition.headers), ...secretsIn(Object.fromEntries(url.searchParams))];
  let lastGeneration = 0;
  // Tokens change once a day and signatures once a second, answers come by the thousand.
  let known: { found: readonly string[]; ordered: Secrets } = { found: [], ordered: orderedSecrets([]) };

  if (definition.token !== null && 'value' in definition.token) {
    log.warn({ destination: name }, 'the token is written in the config: use token.env or token.file');
  }

  async function authorized(
    signal: AbortSignal,
  ): Promise<{ headers: Record<string, string>; generation: number }> {
    if (token === null || source === null) return { headers: {}, generation: 0 };
    const { value, generation } = await token.current(signal);
    return { headers: { [auth.header]: authorizationValue(value, auth.scheme, source.where) }, generation };
  }

  function failureOf(code: ErrorCode, details: ErrorDetails, failure: UploadFailure): UploadFailure {
    return {
      ...failure,
      kind: 'misconfigured',
      code,
      message: `${errorMessage(code, details)} (${failure.message})`,
    };
  }

  function afterRefusedToken(failure: UploadFailure, request: AuthorizedRequest): 'again' | UploadFailure {
    if (token === null) {
      return failureOf('token_missing', { where: `destinations.${name}.token` }, failure);
    }
    token.refused(request.tokenGeneration);
    if (refusals.refused(request.tokenFirstUse === true) === 'again') return 'again';
    return failureOf('token_refused', { destination: name, where: source?.where ?? '' }, failure);
  }

  function afterRefusedSignature(
    failure: UploadFailure,
    request: AuthorizedRequest,
    answer: Answer,
  ): 'again' | UploadFailure {
    const before = clock.generation();
    if (clock.refused(request.clockGeneration ?? 0, answer.headers.date) === 'condemned') {
      return failureOf('clock_drift', { destination: name }, failure);
    }
    if (clock.generation() !== before) {
      log.warn(
        { destination: name, offsetMs: clock.offsetMs() },
        'the signature was refused: signing with the time of the destination from now on; check the clock of this machine',
      );
    }
    return 'again';
  }

  /** Token and signature of one request, made now. */
  async function credentials(signal: AbortSignal): Promise<RequestCredentials> {
    const { headers, generation } = await authorized(signal);
    // Before anything else is awaited: two requests must not both be the first.
    const tokenFirstUse = generation > lastGeneration;
    lastGeneration = Math.max(lastGeneration, generation);
    return {
      headers: checkedHeaders({
        ...definition.headers,
        ...headers,
        ...signatureHeaders(signer, clock.nowMs()),
      }),
      tokenGeneration: generation,
      tokenFirstUse,
      clockGeneration: clock.generation(),
    };
  }

  function judgeAs(as: DestinationDefinition, answer: Answer, request?: AuthorizedRequest): Verdict {
    const sent = request === undefined ? [] : sentSecrets(request.headers);
    return judgeAnswer(as, answer, { nowMs: now(), secrets: secretsWith(sent) });
  }

  function secretsWith(sent: readonly string[]): Secrets {
    const found = [...ownSecrets, ...(token?.recent() ?? []), ...sent];
    const same = found.length === known.found.length && found.every((text, at) => text === known.found[at]);
    if (!same) {
      const bare = found.map((value) => withoutScheme(value, auth.scheme));
      known = { found, ordered: orderedSecrets([...found, ...bare]) };
    }
    return known.ordered;
  }

  /** Of requests that are not signed: looks at files, and other calls about them. */
  const unsigned: ReadinessCredentials = {
    async headers(signal) {
      const { headers, generation } = await authorized(signal);
      return { headers: checkedHeaders({ ...definition.headers, ...headers }), generation };
    },
    refused: (generation) => token?.refused(generation),
  };

  const opened: OpenDestination = {
    definition,
    name,
    visibility: definition.visibility,
    origin: url.origin,
    loopback: isLoopbackHost(url.hostname),
    ...faceOf(definition, { credentials, judgeAs }),
    as: (other) => ({ ...opened, ...faceOf(other, { credentials, judgeAs }) }),
    readiness: openReadiness(definition.readiness, unsigned),
    remote: openRemoteCalls(definition, unsigned),
    tokenChanged: async () => (await token?.changed()) ?? false,
    tokenProblem: () => token?.problem() ?? null,
    withoutSecrets: (text, headers) => redactText(text, secretsWith(sentSecrets(headers))),

    accepted(request) {
      refusals.accepted();
      clock.accepted(request.clockGeneration ?? 0);
    },

    reconsider(failure, request, answer) {
      if (failure.kind === 'unauthenticated') return afterRefusedToken(failure, request);
      if (failure.code === 'clock_drift') return afterRefusedSignature(failure, request, answer);
      return failure;
    },

    close() {
      token?.close();
      return Promise.resolve();
    },
  };
  return opened;

  function sentSecrets(headers: AuthorizedRequest['headers']): readonly string[] {
    const carried = headers[auth.header];
    const bare = carried === undefined ? [] : [carried, withoutScheme(carried, auth.scheme)];
    return [...bare, ...secretsIn(headers)];
  }
}

/** What depends on the text fields. */
function faceOf(
  as: DestinationDefinition,
  { credentials, judgeAs }: PartsMeans,
): Pick<Destination, 'limits' | 'parts' | 'authorize' | 'judge'> {
  return {
    limits: as.limits,
    parts: openParts(as, { credentials, judgeAs }),
    async authorize(signal, file) {
      return {
        method: as.method,
        url: as.url,
        ...(await credentials(signal)),
        fields: fieldsFor(as.fields, file?.name ?? ''),
        fileField: as.fileField,
      };
    },
    judge: (answer, request) => judgeAs(as, answer, request),
  };
}

/** Values whose name says that they are credentials. `X-Auth-Appid` and the like are constants of a preset. */
function secretsIn(named: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(named)
    .filter(([key]) => /authorization|token|secret|password|cookie|sign|api.?key|^key$/i.test(key))
    .map(([, value]) => value);
}

/** An invalid header wedges a bounded undici pool for good: the last look is here. */
function checkedHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_VALUE.test(value)) throw new SlipwayError('token_invalid', { where: `header ${name}` });
  }
  return headers;
}
