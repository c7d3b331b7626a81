import { expect } from 'vitest';
import type { DestinationDefinition } from '../../src/destinations/definition/definition.ts';
import type { SourceReport } from '../../src/domain/live-report.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Run } from '../../src/runtime/run.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import { definitionOf } from './destination-definitions.ts';
import type { RunRig } from './run-rig.ts';

export const never = new AbortController().signal;
export const GIVE_UP_MS = 60_000;

export function autoglm({ autoglmUrl, tokenUrl }: Sandbox, overrides: object = {}): DestinationDefinition {
  return definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl }, ...overrides });
}

/** Drains what lies there, in a run of its own. */
export async function drain(rig: RunRig): Promise<void> {
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(await run.stop(5_000)).toBe(true);
}

/** The only receipt of a path. */
export function receiptOf(rig: RunRig, path: string): Receipt {
  const found = rig.receipts().filter((receipt) => receipt.path === path);
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} receipts of ${path}`);
  return found[0];
}

/** `path generation status` of every receipt, sorted; the code in place of the status where there is one. */
export function ends(rig: RunRig): string[] {
  return rig
    .receipts()
    .map(({ path, gen, status, error }) => `${path} ${gen} ${error?.code ?? status}`)
    .sort();
}

/** Of the only source. */
export async function reportOf(run: Run): Promise<SourceReport> {
  const [source] = (await run.report()).sources;
  if (source === undefined) throw new Error('no source');
  return source;
}
