import type { UploadFailure } from '../domain/attempt.ts';
import { type ErrorCode, type ErrorDetails, errorMessage } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { createRefusalCount } from './answer/refusal-count.ts';
import type { Answer, AuthorizedRequest } from './destination.ts';
import type { SentCredentials } from './readiness-port.ts';
import type { SigningClock } from './signing-clock.ts';
import type { CachedToken } from './token/cached-token.ts';

/** What follows when the far side refuses a token or a signature: again with mended ones, or the destination is wrong. */
export interface RefusedCredentials {
  token(failure: UploadFailure, request: SentCredentials): 'again' | UploadFailure;
  signature(failure: UploadFailure, request: AuthorizedRequest, answer: Answer): 'again' | UploadFailure;
  /** The far side took them. */
  accepted(): void;
}

export function createRefusedCredentials(options: {
  readonly destination: string;
  /** null: none is configured. */
  readonly token: CachedToken | null;
  /** Where it comes from, for people. */
  readonly where: string;
  readonly clock: SigningClock;
  readonly log: Log;
}): RefusedCredentials {
  const { destination, token, where, clock, log } = options;
  const refusals = createRefusalCount();
  return {
    token(failure, request) {
      if (token === null)
        return misconfigured('token_missing', { where: `destinations.${destination}.token` }, failure);
      token.refused(request.tokenGeneration);
      if (refusals.refused(request.tokenFirstUse === true) === 'again') return 'again';
      return misconfigured('token_refused', { destination, where }, failure);
    },
    signature(failure, request, answer) {
      const before = clock.generation();
      if (clock.refused(request.clockGeneration ?? 0, answer.headers.date) === 'condemned')
        return misconfigured('clock_drift', { destination }, failure);
      if (clock.generation() !== before) {
        log.warn(
          { destination, offsetMs: clock.offsetMs() },
          'the signature was refused: signing with the time of the destination from now on; check the clock of this machine',
        );
      }
      return 'again';
    },
    accepted: () => refusals.accepted(),
  };
}

function misconfigured(code: ErrorCode, details: ErrorDetails, failure: UploadFailure): UploadFailure {
  return {
    ...failure,
    kind: 'misconfigured',
    code,
    message: `${errorMessage(code, details)} (${failure.message})`,
  };
}
