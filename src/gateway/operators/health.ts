import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { IncomingPlace } from '../../operations/receive/incoming.ts';
import type { ReceivedLine } from '../../operations/receive/received-line.ts';
import type { Reply } from '../shapes/shape.ts';
import type { UploadTarget } from '../upload-target.ts';

/** One thing that has to be right: `ok`, or what is wrong in one line. */
type Check = string;

export interface HealthSources {
  readonly place: IncomingPlace;
  readonly targets: () => readonly UploadTarget[];
  readonly closing: () => boolean;
  readonly later: { readonly line: Pick<ReceivedLine, 'isOpen' | 'failure'> };
}

/** `GET /healthz`: the process answers. */
export const HEALTHY: Reply = { status: 200, body: { status: 'ok' } };

/**
 * `GET /readyz`: whether uploads sent now have a chance.
 * @param details what is wrong, and not only that something is
 */
export async function readiness(sources: HealthSources, details: boolean): Promise<Reply> {
  const { closing } = sources;
  const disk = await diskCheck(sources);
  const targets = sources.targets();
  const destinations = Object.fromEntries(
    targets.map(({ destination, uploader }) => [destination.name, uploader.blockedBy() ?? 'ok']),
  );
  const token = Object.fromEntries(
    targets.map(({ destination }) => [destination.name, destination.tokenProblem() ?? 'ok']),
  );
  const usable = targets.some(
    ({ destination, uploader }) => uploader.blockedBy() === null && destination.tokenProblem() === null,
  );
  const ready = !closing() && disk === 'ok' && usable;
  const status = closing() ? 'closing' : ready ? 'ok' : 'unready';
  const checks = { redis: redisCheck(sources), token, disk, destinations };
  return { status: ready ? 200 : 503, body: details ? { status, checks } : { status } };
}

/** It is needed from the first file for later on. */
function redisCheck({ later: { line } }: HealthSources): Check {
  return line.isOpen() ? (line.failure() ?? 'ok') : 'not needed';
}

async function diskCheck({ place }: HealthSources): Promise<Check> {
  try {
    await access(place.folder, constants.W_OK);
  } catch (error) {
    return `cannot write to ${place.folder} (${reasonOf(error)})`;
  }
  return place.disk.taken() < place.disk.maxBytes ? 'ok' : 'as much is waiting as spool.maxBytes allows';
}
