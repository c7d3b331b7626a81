import { deadDeliveries } from './dead-deliveries.ts';
import type { DeadLetterFacts, DeadLetterKind } from './dead-letter-kind.ts';
import { deadUploads } from './dead-uploads.ts';

export type { DeadLetterKind, DeadLetterResult, ShownDeadLetter } from './dead-letter-kind.ts';

/** Every kind of dead letter there is. */
export function deadLetterKinds(options: DeadLetterFacts): readonly DeadLetterKind[] {
  return [deadUploads(options), deadDeliveries(options)];
}
