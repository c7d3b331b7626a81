/** Issue "the main job": what must hold of a folder with everything in it. */
import { execFileSync } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { bytesOf } from '../../src/domain/path-bytes.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { type MixedFile, makeMixedFiles, makeNonFiles } from '../support/mixed-files.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination } from '../support/workplace.ts';

const NOBODY = 65_534;

test('each of 1,000 mixed files gets one receipt with its own hash, and the sandbox got exactly those', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  const inbox = place.path('inbox');
  const files = await makeMixedFiles(inbox, 1000);
  await makeNonFiles(inbox, place.path('outside'));
  await place.config(inboxConfig(sandboxDestination(sandbox)));

  const { code, stderr } = await place.run(['run', '--once', '--log-level', 'warn']);

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const receipts = await place.receipts();
  expect(summaryOf(receipts)).toEqual(expectedReceipts(files));
  expect(receivedBy(sandbox)).toEqual(expectedArrivals(files));
  expect(sandbox.summary()).toMatchObject({ count: 1000, brokenOff: 0, refused: {} });

  const again = await place.run(['run', '--once']);
  expect(again.code).toBe(0);
  expect(await place.receipts()).toEqual(receipts);
});

test('a file that may not be read fails alone, with the reason and exit code 6', async ({ skip }) => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  await place.file('inbox/open.txt', 'for everyone');
  await place.file('inbox/closed.txt', 'for nobody');
  const isRoot = process.getuid?.() === 0;
  // Root reads everything, so the CLI runs as nobody, who is only then bound by the file's mode.
  if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, place.folder]);
  await chmod(place.path('inbox/closed.txt'), 0);
  const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  if (isRoot && !canRun([...asNobody, process.execPath, '--version'])) {
    skip('as root a file cannot be made unreadable, and setpriv cannot run node as another user here');
  }

  const through = (command: readonly string[]) => (isRoot ? [...asNobody, ...command] : command);
  const { code, stderr } = await place.run(['run', '--once'], { through });

  expect(code).toBe(6);
  expect(stderr).toContain('give the user that runs Slipway read permission');
  const receipts = await place.receipts();
  expect(receipts.map(({ path, status, error }) => [path, status, error?.code ?? null]).sort()).toEqual([
    ['closed.txt', 'failed', 'file_unreadable'],
    ['open.txt', 'uploaded', null],
  ]);
});

/** One comparable line per receipt; a second receipt of a file would be a second line. */
function summaryOf(receipts: readonly Receipt[]): string[] {
  return receipts
    .map((receipt) => {
      const { status, gen, bytes, sha256, attempts } = receipt;
      return [bytesOf(receipt).toString('hex'), status, gen, bytes, sha256, attempts].join(' ');
    })
    .sort();
}

function expectedReceipts(files: readonly MixedFile[]): string[] {
  return files
    .map(({ pathHex, bytes, sha256 }) => [pathHex, 'uploaded', 0, bytes, sha256, 1].join(' '))
    .sort();
}

function receivedBy(sandbox: Sandbox): string[] {
  return sandbox
    .received()
    .map(({ filename, bytes, sha256 }) => [bytes, sha256, filename].join(' '))
    .sort();
}

function expectedArrivals(files: readonly MixedFile[]): string[] {
  return files.map(({ sentName, bytes, sha256 }) => [bytes, sha256, sentName].join(' ')).sort();
}

function canRun([program = '', ...args]: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
