import type { RoundResult } from './round.ts';

/** What many rounds came to. */
export interface Tally {
  readonly rounds: number;
  readonly broken: number;
  readonly versions: number;
  readonly uploads: number;
  readonly resent: number;
  readonly told: number;
  readonly receipts: Readonly<Record<string, number>>;
  readonly struck: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, number>>;
}

export function emptyTally(): Tally {
  return {
    rounds: 0,
    broken: 0,
    versions: 0,
    uploads: 0,
    resent: 0,
    told: 0,
    receipts: {},
    struck: {},
    operations: {},
  };
}

export function withRound(tally: Tally, round: RoundResult): Tally {
  return {
    rounds: tally.rounds + 1,
    broken: tally.broken + (round.violations.length > 0 ? 1 : 0),
    versions: tally.versions + round.files,
    uploads: tally.uploads + round.uploads,
    resent: tally.resent + round.resent,
    told: tally.told + round.told,
    receipts: sum(tally.receipts, round.receipts),
    struck: sum(tally.struck, round.struck),
    operations: sum(tally.operations, round.operations),
  };
}

export function tallyText(tally: Tally): string {
  const { rounds, broken, versions, uploads, resent, told, receipts, struck, operations } = tally;
  return [
    `${rounds} rounds, ${broken} with a violation; ${versions} file versions, ${uploads} uploads stored, ${resent} of them re-sent; ${told} receipts told to a webhook`,
    `  receipts:   ${list(receipts)}`,
    `  faults:     ${list(struck)}`,
    `  operations: ${list(operations)}`,
  ].join('\n');
}

function sum(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const total: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) total[name] = (total[name] ?? 0) + count;
  return total;
}

function list(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
