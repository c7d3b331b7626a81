import { SANDBOX, SANDBOX_KEY, sandboxDestination } from '../../config/sandbox-destination.ts';
import { withDestination } from '../../config/with-destination.ts';
import type { Session } from '../session.ts';

/** A trial is not held up: the stand-in has no quota of its own. */
const NO_QUOTA = { openaiUploadsPerMinute: 1_000_000_000 };

/**
 * Does the work with a stand-in at hand where one of the destinations it sends to is `sandbox`, and the config file has
 * none of that name. It ends with the work, and with it what it took.
 * @param meant names of destinations, as far as they are known
 */
export async function withSandbox<Result>(
  session: Session,
  meant: readonly (string | undefined)[],
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  if (!meant.includes(SANDBOX) || Object.hasOwn(session.config.destinations, SANDBOX))
    return await work(session);
  const { openSandbox } = await import('../../sandbox/open-sandbox.ts');
  const sandbox = await openSandbox({ limits: NO_QUOTA });
  try {
    const env = { ...session.env, [SANDBOX_KEY]: 'sandbox' };
    return await work(withDestination({ ...session, env }, SANDBOX, sandboxDestination(sandbox.openaiBase)));
  } finally {
    await sandbox.close();
  }
}

/** Where the sources of the config file, and the routes of its gateway, lead. */
export function configuredDestinations({ config }: Session): string[] {
  const routes = Object.values(config.gateway.routes).map(({ destination }) => destination);
  return [...Object.values(config.sources).map(({ destination }) => destination), ...routes].filter(
    (name) => name !== undefined,
  );
}
