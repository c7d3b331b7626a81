import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const SECOND = 1_000;
/** Time that a test waits for something is no measure of it: `test/support/patience.ts`. */
const PATIENT = ['test/support/patience.ts'];
/** These tiers run the CLI as it is installed. */
const BUILT = ['test/support/built-cli.ts'];

/**
 * Tiers by what they need, one after the other. Where a test mostly waits (for a lock to run out, a settle time, a killed
 * process's lease) more files run at a time than there are cores: each test has its own folder, Redis and ports, and waits for
 * states. The time-outs are for what hangs, far above what the slowest machine needs and above every wait of a test. Pure
 * tests need no process for each file.
 */
const TIERS = [
  { name: 'unit', timeoutMs: 90 * SECOND, workers: 2, isolate: false },
  { name: 'contract', timeoutMs: 90 * SECOND, workers: 2, isolate: false },
  { name: 'integration', timeoutMs: 180 * SECOND, workers: 4 },
  { name: 'faults', timeoutMs: 300 * SECOND, workers: 2, globalSetup: BUILT },
  { name: 'e2e', timeoutMs: 300 * SECOND, workers: 4, globalSetup: BUILT },
];

/** Some hundred processes start from the same files: what V8 made of them once is kept for the next. Inherited by all. */
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/compiled');

export default defineConfig({
  test: {
    projects: TIERS.map(({ name, timeoutMs, workers, globalSetup = [], isolate = true }, order) => ({
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        globalSetup,
        setupFiles: PATIENT,
        expect: { poll: { timeout: 45 * SECOND } },
        pool: 'forks',
        isolate,
        maxWorkers: workers,
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        sequence: { groupOrder: order },
      },
    })),
  },
});
