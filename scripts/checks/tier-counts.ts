/** One test file of vitest's json report. */
export interface TestFileResult {
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface TestSummary {
  /** One per tier, then the total alone on the last. */
  readonly lines: readonly string[];
  /** Every tier asked for ran at least one test and none failed. */
  readonly isSound: boolean;
}

/**
 * Counts tests per tier, the folder below `test`.
 * @param tiers those that must have run
 */
export function summarise(files: readonly TestFileResult[], tiers: readonly string[]): TestSummary {
  const counts = new Map(tiers.map((tier) => [tier, { passed: 0, failed: 0, skipped: 0 }]));
  for (const file of files) {
    const tier = /[/\\]test[/\\]([^/\\]+)[/\\]/.exec(file.name)?.[1] ?? 'elsewhere';
    const tally = counts.get(tier) ?? { passed: 0, failed: 0, skipped: 0 };
    counts.set(tier, tally);
    for (const { status } of file.assertionResults) tally[kindOf(status)] += 1;
    // A file that could not even be loaded holds no test that could fail.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'))
      tally.failed += 1;
  }
  const idle = tiers.filter((tier) => ran(counts.get(tier)) === 0);
  const total = [...counts.values()].reduce(sum, { passed: 0, failed: 0, skipped: 0 });
  return {
    lines: [
      ...[...counts].map(([tier, tally]) => `${tier}: ${ran(tally)} tests ran (${describe(tally)})`),
      ...idle.map((tier) => `${tier}: no test ran, which is a failure`),
      describe(total),
    ],
    isSound: idle.length === 0 && total.failed === 0,
  };
}

function kindOf(status: string): keyof Counts {
  if (status === 'passed' || status === 'failed') return status;
  return 'skipped';
}

function ran(tally: Counts | undefined): number {
  return tally === undefined ? 0 : tally.passed + tally.failed;
}

function sum(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

function describe({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
