import type { DestinationConfig } from '../destinations/definition/definition-schema.ts';

/** `--to sandbox`: a stand-in in the process itself, unless the config file has a destination of that name. */
export const SANDBOX = 'sandbox';

/** The variable that holds the key of the stand-in; whoever opens it fills it in. Any key is taken. */
export const SANDBOX_KEY = 'SLIPWAY_SANDBOX_KEY';

/** `.invalid` never resolves (RFC 2606): where nobody opened the stand-in, nothing is sent anywhere. */
const NOT_OPEN = 'http://sandbox.invalid/v1';

/** As the preset has it, without its pauses. */
const READINESS: NonNullable<DestinationConfig['readiness']> = {
  ...{ url: '{base}/files/{id}', status: '/status', ready: ['processed'], failed: ['error', 'deleted'] },
  ...{ interval: 50, deadline: 60_000, perSecond: 1_000 },
};

/**
 * The stand-in as a destination: OpenAI's shape, without its quota, for nobody waits for a trial.
 * @param base of its OpenAI API; left out: it is not open
 */
export function sandboxDestination(base: string = NOT_OPEN): DestinationConfig {
  return {
    preset: 'openai',
    params: { base },
    token: { env: SANDBOX_KEY },
    rate: null,
    readiness: READINESS,
  };
}
