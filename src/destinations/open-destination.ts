import type { Log } from '../domain/log.ts';
import { isLoopbackHost } from '../platform/http/http-proxy.ts';
import { redactText } from './answer/redact-secrets.ts';
import { judgeAnswer } from './answer/verdict.ts';
import type { DestinationDefinition } from './definition/definition.ts';
import { fieldsFor } from './definition/field-templates.ts';
import { sentName } from './definition/sent-name.ts';
import type { Answer, AuthorizedRequest, Destination, Verdict } from './destination.ts';
import { openParts, type PartsMeans } from './open-parts.ts';
import { ownSecrets } from './own-secrets.ts';
import { readinessFailure } from './readiness-failure.ts';
import { openReadiness, type ReadinessPort } from './readiness-port.ts';
import { createRefusedCredentials } from './refused-credentials.ts';
import { openRemoteCalls, type RemoteCalls } from './remote-calls.ts';
import { openCredentials } from './request-credentials.ts';
import { createSigningClock } from './signing-clock.ts';
import { createCachedToken } from './token/cached-token.ts';
import { type FetchText, openTokenSource } from './token/token-source.ts';

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
  const { name } = definition;
  const { log, now, random } = ports;
  const url = new URL(definition.url);
  const source = definition.token === null ? null : openTokenSource(definition.token, ports);
  const token = source === null ? null : createCachedToken({ source, destination: name, log, now, random });
  const clock = createSigningClock(now);
  const where = source?.where ?? '';
  const refused = createRefusedCredentials({ destination: name, token, where, clock, log });
  const secretsWith = ownSecrets(definition, token);
  const { authorized, signed } = openCredentials(definition, token, where, clock);

  if (definition.token !== null && 'value' in definition.token) {
    log.warn({ destination: name }, 'the token is written in the config: use token.env or token.file');
  }

  function judgeAs(
    as: DestinationDefinition,
    answer: Answer,
    request?: Pick<AuthorizedRequest, 'headers'> & { readonly url?: string },
  ): Verdict {
    const sentTo = request?.url === undefined ? {} : { sentTo: request.url };
    return judgeAnswer(as, answer, {
      ...sentTo,
      nowMs: now(),
      secrets: secretsWith(request?.headers ?? null),
    });
  }

  const opened: OpenDestination = {
    definition,
    name,
    visibility: definition.visibility,
    origin: url.origin,
    loopback: isLoopbackHost(url.hostname),
    ...faceOf(definition, { credentials: signed, judgeAs }),
    as: (other) => ({ ...opened, ...faceOf(other, { credentials: signed, judgeAs }) }),
    remote: openRemoteCalls(definition, { authorized, refused: (generation) => token?.refused(generation) }),
    readiness: openReadiness(definition.readiness, {
      headers: authorized,
      whyNot(answer, request) {
        const verdict = judgeAs(definition, answer, request);
        if (verdict.kind === 'uploaded' || verdict.failure.kind !== 'unauthenticated')
          return readinessFailure(verdict, answer);
        const ruling = refused.token(verdict.failure, request);
        return ruling === 'again' ? verdict.failure : ruling;
      },
      accepted: refused.accepted,
    }),
    tokenChanged: async () => (await token?.changed()) ?? false,
    tokenProblem: () => token?.problem() ?? null,
    withoutSecrets: (text, headers) => redactText(text, secretsWith(headers)),

    accepted(request) {
      refused.accepted();
      clock.accepted(request.clockGeneration ?? 0);
    },

    reconsider(failure, request, answer) {
      if (failure.kind === 'unauthenticated') return refused.token(failure, request);
      return failure.code === 'clock_drift' ? refused.signature(failure, request, answer) : failure;
    },

    close() {
      token?.close();
      return Promise.resolve();
    },
  };
  return opened;
}

/** What depends on the text fields. */
function faceOf(
  as: DestinationDefinition,
  { credentials, judgeAs }: PartsMeans,
): Pick<Destination, 'limits' | 'parts' | 'sentName' | 'authorize' | 'judge'> {
  return {
    limits: as.limits,
    sentName: (name) => sentName(name, as.fileNames),
    parts: openParts(as, { credentials, judgeAs }),
    async authorize(signal, file) {
      return {
        method: as.method,
        url: as.url,
        ...(await credentials(signal)),
        fields: fieldsFor(as.fields, sentName(file?.name ?? '', as.fileNames).bare),
        fileField: as.fileField,
      };
    },
    judge: (answer, request) => judgeAs(as, answer, request),
  };
}
