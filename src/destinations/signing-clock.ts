/**
 * The far side's clock as far as we know it. A refused signature is often a wrong clock here: the `Date` of the refusal
 * corrects it once; only when that does not help is it a case for people (contract §6.1, code 400002).
 */
export interface SigningClock {
  /** Milliseconds since the epoch on the far side's clock. */
  nowMs(): number;
  /** How often it has been corrected; requests carry it. */
  generation(): number;
  /** Far side minus this machine, milliseconds. */
  offsetMs(): number;
  /** A signature was refused. `again`: it was made with an older clock than the present one. */
  refused(requestGeneration: number, dateHeader: string | undefined): 'again' | 'condemned';
  /** A signature was accepted: a later drift may be corrected again. */
  accepted(requestGeneration: number): void;
}

/** @param now milliseconds since the epoch on this machine */
export function createSigningClock(now: () => number): SigningClock {
  let offset = 0;
  let generation = 0;
  let corrected = false;

  return {
    nowMs: () => now() + offset,
    generation: () => generation,
    offsetMs: () => offset,
    refused(requestGeneration, dateHeader) {
      if (requestGeneration < generation) return 'again';
      const farMs = Date.parse(dateHeader ?? '');
      if (corrected || Number.isNaN(farMs)) {
        // The next probe of a stopped destination starts afresh: the clock may have been set meanwhile.
        corrected = false;
        return 'condemned';
      }
      offset = farMs - now();
      generation += 1;
      corrected = true;
      return 'again';
    },
    accepted(requestGeneration) {
      if (requestGeneration === generation) corrected = false;
    },
  };
}
