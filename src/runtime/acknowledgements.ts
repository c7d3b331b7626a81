import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Destination } from '../destinations/destination.ts';
import type { OpenDestination } from '../destinations/open-destination.ts';
import { SlipwayError } from '../domain/errors.ts';
import { writeAtomic } from '../platform/atomic-file.ts';
import { formatBytes } from '../platform/units.ts';
import { openDataDir } from '../record/data-dir.ts';
import { backlogOf } from './backlog.ts';
import type { SourcePlan } from './source-plan.ts';

/** What a person is asked before files become readable by anyone (G9). */
export interface PublicQuestion {
  readonly destination: string;
  readonly origin: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * G9: nothing becomes public before somebody has said that it may. Asked once per destination and host.
 * @throws SlipwayError `public_unacknowledged` with what would go
 */
export async function acknowledgePublic(
  destinations: readonly OpenDestination[],
  facts: {
    readonly plans: readonly SourcePlan[];
    readonly ownPaths: readonly string[];
    readonly dataDir: string;
    readonly confirm: (question: PublicQuestion) => Promise<boolean>;
  },
): Promise<void> {
  await openDataDir(facts.dataDir);
  const acknowledged = await openAcknowledgements(facts.dataDir);
  for (const destination of destinations) {
    if (acknowledged.given(destination, destination.definition.acknowledgePublic)) continue;
    const { name, origin } = destination;
    const concerned = facts.plans.filter((plan) => plan.destination === name);
    const { files, bytes } = await backlogOf(concerned, facts.ownPaths, facts.dataDir);
    if (!(await facts.confirm({ destination: name, origin, files, bytes }))) {
      throw new SlipwayError('public_unacknowledged', {
        destination: name,
        files,
        bytes: formatBytes(bytes),
      });
    }
    await acknowledged.remember(destination);
  }
}

/**
 * The same for files that were named one by one.
 * @throws SlipwayError `public_unacknowledged`
 */
export async function acknowledgeDirect(
  destination: OpenDestination,
  facts: {
    readonly files: number;
    readonly bytes: number;
    readonly dataDir: string;
    readonly confirm: (question: PublicQuestion) => Promise<boolean>;
  },
): Promise<void> {
  const { files, bytes } = facts;
  // A private destination needs no data folder: nothing is written for it.
  const { name, origin, definition } = destination;
  if (destination.visibility !== 'public' || destination.loopback || definition.acknowledgePublic) return;
  await openDataDir(facts.dataDir);
  const acknowledged = await openAcknowledgements(facts.dataDir);
  if (acknowledged.given(destination, false)) return;
  if (!(await facts.confirm({ destination: name, origin, files, bytes }))) {
    throw new SlipwayError('public_unacknowledged', { destination: name, files, bytes: formatBytes(bytes) });
  }
  await acknowledged.remember(destination);
}

/** Which public destinations have been acknowledged on this machine, kept with the data so that it is asked once. */
export interface Acknowledgements {
  /** Whether this destination may be used without asking. */
  given(destination: Destination, acknowledgedInConfig: boolean): boolean;
  remember(destination: Destination): Promise<void>;
}

/** @param dataDir exists already */
export async function openAcknowledgements(dataDir: string): Promise<Acknowledgements> {
  const file = join(dataDir, 'acknowledged.json');
  const known = await readKnown(file);
  // Another host under the same name is another audience.
  const keyOf = ({ name, origin }: Destination): string => `${name} ${origin}`;
  return {
    given: (destination, acknowledgedInConfig) =>
      destination.visibility !== 'public' ||
      destination.loopback ||
      acknowledgedInConfig ||
      known.has(keyOf(destination)),
    async remember(destination) {
      known.add(keyOf(destination));
      await writeAtomic(file, [`${JSON.stringify({ v: 1, destinations: [...known] })}\n`], { mode: 0o600 });
    },
  };
}

async function readKnown(file: string): Promise<Set<string>> {
  try {
    const { destinations } = JSON.parse(await readFile(file, 'utf8')) as { destinations?: unknown };
    return new Set(Array.isArray(destinations) ? destinations.map(String) : []);
  } catch {
    // Missing or damaged: asking once more is the safe side.
    return new Set();
  }
}
