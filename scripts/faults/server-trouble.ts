import { setTimeout as delay } from 'node:timers/promises';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import type { FaultPlan } from '../../src/sandbox/trouble/fault-rule.ts';
import type { Dice } from './dice.ts';

/** Longer than the client waits for an answer. */
const TOO_SLOW_MS = 3_500;

/** One way in which the far side, or the way to it, goes wrong for a while. */
interface Trouble {
  readonly name: string;
  readonly weight: number;
  plan(dice: Dice): FaultPlan;
}

const upload = { api: 'autoglm', operation: 'upload' } as const;

const TROUBLES: readonly [Trouble, ...Trouble[]] = [
  {
    name: 'connections cut before the body',
    weight: 2,
    plan: (dice) => [{ ...upload, action: 'reset-before-body', probability: dice.int(2, 8) / 10 }],
  },
  {
    name: 'connections cut after the body',
    weight: 2,
    plan: (dice) => [{ ...upload, action: 'reset-after-body', probability: dice.int(2, 8) / 10 }],
  },
  {
    name: 'answers lost after storing',
    weight: 3,
    plan: () => [{ ...upload, action: 'store-then-reset', probability: 0.1 }],
  },
  {
    name: '500 after storing',
    weight: 3,
    plan: () => [{ ...upload, action: 'store-then-500', probability: 0.1 }],
  },
  {
    name: 'answers cut short',
    weight: 1,
    plan: () => [{ ...upload, action: 'truncated-json', probability: 0.1 }],
  },
  {
    name: '500',
    weight: 2,
    plan: (dice) => [{ ...upload, action: '500', probability: dice.int(1, 10) / 10 }],
  },
  { name: '503 to all', weight: 1, plan: () => [{ ...upload, action: '503' }] },
  { name: '429', weight: 1, plan: () => [{ ...upload, action: '429', retryAfter: 1, probability: 0.5 }] },
  { name: 'hung answers', weight: 2, plan: () => [{ ...upload, action: 'hang', probability: 0.2 }] },
  {
    name: 'hung after storing',
    weight: 2,
    plan: () => [{ ...upload, action: 'store-then-hang', probability: 0.1 }],
  },
  {
    name: 'answers later than anyone waits',
    weight: 1,
    plan: () => [{ ...upload, action: 'slow', ms: TOO_SLOW_MS, probability: 0.1 }],
  },
  {
    name: 'slow server',
    weight: 3,
    plan: (dice) => [{ ...upload, action: 'slow', ms: dice.int(100, 1500) }],
  },
  {
    name: 'tokens that expire at once',
    weight: 1,
    plan: () => [{ api: 'token', action: 'token', lifetimeSeconds: 2 }],
  },
  { name: 'tokens for few uses', weight: 1, plan: () => [{ api: 'token', action: 'token', uses: 15 }] },
  { name: 'token service down', weight: 1, plan: () => [{ api: 'token', action: '503' }] },
];

/** Answers after which the client must take the file for not sent although it was stored. */
const LOSES_THE_ANSWER = ['store-then-reset', 'store-then-500', 'store-then-hang', 'truncated-json'];

/** The far side of a round, and what it did wrong. */
export interface ServerTrouble {
  /** One trouble for a while; returns its name. */
  strike(dice: Dice): Promise<string>;
  /** Every token stops working at once. */
  revoke(): void;
  clear(): void;
  /** Files stored whose answer did not reach the client: each may come once more. */
  answersLost(): number;
}

/** In order until struck. */
export function serverTrouble(sandbox: Sandbox): ServerTrouble {
  let late = 0;
  const clear = (): void => {
    late += sandbox
      .faults()
      .filter((rule) => rule.action === 'slow' && rule.ms >= TOO_SLOW_MS)
      .reduce((sum, { struck }) => sum + struck, 0);
    sandbox.clearFaults();
  };
  return {
    async strike(dice) {
      const trouble = dice.weighted(TROUBLES);
      sandbox.addFaults(trouble.plan(dice));
      await delay(dice.int(500, 4_000));
      clear();
      return trouble.name;
    },
    revoke: () => sandbox.revokeTokens(),
    clear,
    answersLost() {
      const { faults } = sandbox.summary();
      return LOSES_THE_ANSWER.reduce((sum, action) => sum + (faults[action] ?? 0), late);
    },
  };
}
