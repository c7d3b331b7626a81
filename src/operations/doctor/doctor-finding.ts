import { reasonOf } from '../../domain/errors.ts';

/** What a check looks at. */
export type CheckName = 'token' | 'redis' | 'inotify' | 'clock' | 'disk' | 'events' | 'container';

/**
 * One thing that was looked at.
 * - `warning`: it works, but worse than it could, or could not be found out
 * - `problem`: it will not work as it is
 */
export interface Finding {
  readonly check: CheckName;
  /** The destination, source or folder in question; null: this machine. */
  readonly subject: string | null;
  readonly state: 'ok' | 'warning' | 'problem';
  /** One sentence, with the fix in it where one is needed. Holds no secret. */
  readonly message: string;
  /** What ended a check, for the exit code; null where its end was no error. */
  readonly error: unknown;
}

type About = Pick<Finding, 'check' | 'subject'>;

export const ok = (about: About, message: string): Finding => ({
  ...about,
  state: 'ok',
  message,
  error: null,
});

export const warning = (about: About, message: string): Finding => ({
  ...about,
  state: 'warning',
  message,
  error: null,
});

export const problem = (about: About, error: unknown, message: string = reasonOf(error)): Finding => ({
  ...about,
  state: 'problem',
  message,
  error,
});
