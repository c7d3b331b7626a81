import type { ErrorKind } from '../domain/errors.ts';
import { SlipwayError } from '../domain/errors.ts';

/** contract §7. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  temporary: 5,
  permanent: 6,
  stopped: 7,
  sigint: 130,
  sigterm: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_KIND: Record<ErrorKind, ExitCode> = {
  usage: EXIT.usage,
  config: EXIT.usage,
  local: EXIT.usage,
  internal: EXIT.internal,
  unauthenticated: EXIT.stopped,
  misconfigured: EXIT.stopped,
  exhausted: EXIT.stopped,
  throttled: EXIT.temporary,
  unavailable: EXIT.temporary,
  rejected: EXIT.permanent,
};

/** The exit code of an error that ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof SlipwayError)) return EXIT.internal;
  // What this machine cannot do now but may do later is not the user's mistake.
  if (error.kind === 'local' && error.retryable) return EXIT.temporary;
  return BY_KIND[error.kind];
}

/** The exit code of a receipt's error kind; `skipped` is as final as a refusal. */
export function exitCodeOfKind(kind: string): ExitCode {
  if (kind === 'skipped' || kind === 'local') return EXIT.permanent;
  return BY_KIND[kind as ErrorKind] ?? EXIT.internal;
}

/** The worst of several outcomes: 7 > 6 > 5 > 0. */
export function worstExit(codes: Iterable<ExitCode>): ExitCode {
  let worst: ExitCode = EXIT.ok;
  for (const code of codes) if (code > worst) worst = code;
  return worst;
}
