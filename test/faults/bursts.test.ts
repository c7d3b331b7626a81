import { expect, onTestFinished, test } from 'vitest';
import { runBurst } from '../../scripts/bench/bursts.ts';
import { runRestarts } from '../../scripts/bench/restarts.ts';
import { startServer } from '../../scripts/bench/server-process.ts';
import { BUILT_CLI } from '../support/built-cli.ts';

// The large ones are `npm run bench -- bursts` and `-- restarts`.
test.each([
  { files: 2_000, folders: 0, standstill: 'SIGSTOP' },
  { files: 1_000, folders: 400, standstill: 'blocked loop' },
] as const)(
  'a burst of $files files into $folders new folders during a standstill ($standstill) is sent whole and once',
  async (burst) => {
    const server = await startServer();
    onTestFinished(() => server.close());
    const { lost, twice } = await runBurst(burst, { command: BUILT_CLI, standstillMs: 2_000 }, server);
    expect({ lost, twice }).toEqual({ lost: 0, twice: 0 });
  },
);

test('files written at 200 a second while it starts and stops are all sent, each once', async () => {
  const { files, lost, twice } = await runRestarts({
    command: BUILT_CLI,
    restarts: 4,
    perSecond: 200,
    upToMs: 1_000,
  });
  expect(files).toBeGreaterThan(400);
  expect({ lost, twice }).toEqual({ lost: 0, twice: 0 });
});
