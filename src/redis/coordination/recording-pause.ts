import type { RedisConnection } from '../redis-access.ts';
import { setRecordingPause } from './finished-signal.ts';

/** Well within the life of a hold. */
const EVERY_MS = 5_000;

/** Tells the workers of a source, in whatever process, to take no jobs while their results cannot be kept. */
export interface RecordingPause {
  set(hold: boolean): void;
  /** Says no more. */
  close(): void;
}

/** None. */
export function createRecordingPause(
  connection: RedisConnection,
  prefix: string,
  source: string,
): RecordingPause {
  let saying: NodeJS.Timeout | null = null;

  function close(): void {
    if (saying !== null) clearInterval(saying);
    saying = null;
  }

  return {
    set(hold) {
      close();
      const tell = (): void => {
        setRecordingPause(connection, prefix, source, hold).catch(() => undefined);
      };
      tell();
      if (hold) saying = setInterval(tell, EVERY_MS);
    },
    close,
  };
}
