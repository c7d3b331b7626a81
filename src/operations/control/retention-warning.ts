import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { Log } from '../../domain/log.ts';
import type { SourcePlan } from '../../runtime/plans/source-plan.ts';

/** Says at the start which sources delete the only copy the user has, towards an API that does not say how long it keeps it. */
export function warnOfDeletion(
  plans: readonly SourcePlan[],
  definitions: readonly DestinationDefinition[],
  log: Log,
): void {
  for (const { name, destination, onSuccess } of plans) {
    if (onSuccess !== 'delete') continue;
    const definition = definitions.find((one) => one.name === destination);
    // An API that tells when a file ends is one whose retention is known.
    if (definition !== undefined && definition.answer.expiresAt.length > 0) continue;
    log.warn(
      { source: name, destination },
      `source ${name} deletes files after their upload, and ${destination} does not say how long it keeps them: use onSuccess: { moveTo: … } unless you have another copy`,
    );
  }
}
