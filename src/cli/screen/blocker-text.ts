import type { BlockerReport } from '../../domain/blocker.ts';
import type { DestinationReport } from '../../domain/live-report.ts';

/** How a reason begins in one line, where its message does not say it. */
const WORDS: Partial<Record<BlockerReport['reason'], string>> = { stopped: 'is stopped', down: 'is down' };

/**
 * What one line has to say of a destination: what is in the way of all files, else why some fail for now. What the user
 * has paused is said of each source. Null: all is well.
 */
export function destinationTrouble({ name, blockers = [], lastTrouble }: DestinationReport): string | null {
  const blocker = blockers.find(({ reason }) => reason !== 'paused' && reason !== 'unproven');
  if (blocker === undefined) return lastTrouble === null ? null : `${name}: ${lastTrouble}`;
  const { reason, message } = blocker;
  const word = WORDS[reason];
  if (word !== undefined) return `${name} ${word}: ${message}`;
  return reason === 'retry-after' ? `${name} ${message}` : `${name}: ${message}`;
}

/** What one line has to say of a source; the pause before the rest. */
export function sourceTrouble(source: {
  readonly trouble: string | null;
  readonly paused?: string;
}): string | null {
  return source.paused ?? source.trouble;
}
