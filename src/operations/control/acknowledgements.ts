import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Destination } from '../../destinations/destination.ts';
import type { OpenDestination } from '../../destinations/open-destination.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { openDataDir } from '../../ledger/store/data-dir.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { formatBytes } from '../../platform/units.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import { backlogOf } from '../ingest/ingest-preview.ts';

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
  options: {
    readonly plans: readonly SourcePlan[];
    readonly ownPaths: readonly string[];
    readonly dataDir: string;
    readonly confirm: (question: PublicQuestion) => Promise<boolean>;
  },
): Promise<void> {
  await openDataDir(options.dataDir);
  const acknowledged = await openAcknowledgements(options.dataDir);
  for (const destination of destinations) {
    if (acknowledged.given(destination)) continue;
    const concerned = options.plans.filter((plan) => plan.destination === destination.name);
    const backlog = await backlogOf(concerned, options.ownPaths, options.dataDir, destination.limits);
    await ask(destination, backlog, options.confirm, acknowledged);
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
  // A private destination needs no data folder: nothing is written for it.
  if (needsNoWord(destination)) return;
  await openDataDir(facts.dataDir);
  const acknowledged = await openAcknowledgements(facts.dataDir);
  if (!acknowledged.given(destination)) await ask(destination, facts, facts.confirm, acknowledged);
}

/**
 * The same for a batch, whose files are counted only where somebody has to be asked.
 * @throws SlipwayError `public_unacknowledged`
 */
export async function acknowledgeBatch(
  destination: OpenDestination,
  facts: {
    readonly count: () => Promise<{ readonly files: number; readonly bytes: number }>;
    readonly dataDir: string;
    readonly confirm: (question: PublicQuestion) => Promise<boolean>;
  },
): Promise<void> {
  if (needsNoWord(destination)) return;
  const acknowledged = await openAcknowledgements(facts.dataDir);
  if (!acknowledged.given(destination))
    await ask(destination, await facts.count(), facts.confirm, acknowledged);
}

/** A destination that nobody else can read, or whose audience the config names. */
function needsNoWord({ visibility, loopback, definition }: OpenDestination): boolean {
  return visibility !== 'public' || loopback || definition.acknowledgePublic;
}

async function ask(
  destination: OpenDestination,
  { files, bytes }: { readonly files: number; readonly bytes: number },
  confirm: (question: PublicQuestion) => Promise<boolean>,
  acknowledged: Acknowledgements,
): Promise<void> {
  const { name, origin } = destination;
  if (!(await confirm({ destination: name, origin, files, bytes }))) {
    throw new SlipwayError('public_unacknowledged', { destination: name, files, bytes: formatBytes(bytes) });
  }
  await acknowledged.remember(destination);
}

/** Which public destinations have been acknowledged on this machine, kept with the data so that it is asked once. */
export interface Acknowledgements {
  /** Whether this destination may be used without asking. */
  given(destination: OpenDestination): boolean;
  remember(destination: Destination): Promise<void>;
}

/** @param dataDir exists already */
export async function openAcknowledgements(dataDir: string): Promise<Acknowledgements> {
  const file = join(dataDir, 'acknowledged.json');
  const known = await readKnown(file);
  // Another host under the same name is another audience.
  const keyOf = ({ name, origin }: Destination): string => `${name} ${origin}`;
  return {
    given: (destination) => needsNoWord(destination) || known.has(keyOf(destination)),
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
