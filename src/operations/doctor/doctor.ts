import { dirname } from 'node:path';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { HttpClient } from '../../platform/http/http-client.ts';
import type { RedisPlace } from '../../redis/redis-place.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';
import { examineClock } from './doctor-clock.ts';
import { examineDisks } from './doctor-disk.ts';
import type { Finding } from './doctor-finding.ts';
import { examineFolder } from './doctor-folder.ts';
import { inotifyLimits, judgeInotify } from './doctor-inotify.ts';
import { examineRedis } from './doctor-redis.ts';
import { examineToken } from './doctor-token.ts';

export interface DoctorFacts {
  readonly plans: readonly SourcePlan[];
  readonly definitions: readonly DestinationDefinition[];
  readonly dataDir: string;
  readonly redis: RedisPlace;
  readonly ownPaths: readonly string[];
  readonly http: HttpClient;
  /** With what `.env` adds: where `token.env` is looked up. */
  readonly tokenEnv: Readonly<Record<string, string | undefined>>;
  readonly env: NodeJS.ProcessEnv;
  readonly inContainer: boolean;
  readonly now: () => number;
}

/**
 * Tries everything that a run depends on, by doing it: each token is read, each folder is written to and listened to.
 * Changes nothing, starts nothing, and prints no secret. Yields what it finds as it finds it.
 */
export async function* examine(options: DoctorFacts, signal: AbortSignal): AsyncGenerator<Finding> {
  const { plans, definitions, dataDir, http, env } = options;
  yield* await examineRedis({ dataDir, redis: options.redis, env });
  yield* await examineDisks([dataDir, ...plans.map(({ manifest }) => dirname(manifest))]);
  const ports = { fetchText: http.fetchText, env: options.tokenEnv };
  for (const definition of definitions) {
    yield* await examineToken(definition, ports, options.inContainer, signal);
    yield await examineClock(definition, http, options.now);
  }
  let folders = 0;
  for (const plan of plans) {
    const examined = await examineFolder(plan, options.ownPaths, signal);
    folders += examined.folders;
    yield examined.finding;
  }
  const limits = inotifyLimits();
  if (limits !== null && plans.length > 0) yield* judgeInotify(limits, folders);
}
