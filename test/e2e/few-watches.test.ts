/** A machine whose inotify watches run out: events no longer come, and every file arrives all the same. */
import { expect, test } from 'vitest';
import { mayLimitWatches, withFewWatches } from '../support/low-inotify.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

test.skipIf(!mayLimitWatches())(
  'with five inotify watches for twenty folders every file arrives, and one warning names the sysctl',
  async () => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest();
    await place.config(inboxConfig(sandboxDestination(sandbox)));
    for (let folder = 0; folder < 20; folder += 1) await place.file(`inbox/d${folder}/old.txt`, `${folder}`);
    const cli = place.start(['run'], { through: (command) => withFewWatches(5, command) });
    await place.recorded(20);
    for (let folder = 0; folder < 20; folder += 1) await place.file(`inbox/d${folder}/new.txt`, `n${folder}`);
    await place.file('inbox/made/later/new.txt', 'later');
    await place.recorded(41);
    cli.signal('SIGTERM');
    const { code, stderr } = await cli.ended;
    expect(code).toBe(0);
    expect(stderr.match(/raise the sysctl fs\.inotify\.max_user_watches/g)).toHaveLength(1);
    const paths = (await place.receipts()).map(({ path, status }) => `${path} ${status}`);
    expect(new Set(paths).size).toBe(41);
  },
);
