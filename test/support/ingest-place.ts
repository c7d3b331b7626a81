/** A workplace to ingest from, and what the command says at its end. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { BatchEnd } from '../../src/domain/batch.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import type { Sandbox } from '../../src/sandbox/open-sandbox.ts';
import type { CliResult } from './cli.ts';
import { sandboxForTest } from './sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from './workplace.ts';

export interface LastLine {
  readonly batch: string;
  readonly state: string;
  readonly counts: BatchEnd['counts'];
  readonly unusable: number;
  readonly parts: readonly BatchEnd[];
  readonly exitCode: number;
}

/** The last line of `--json`: the batch. */
export function batchOf({ stdout, stderr }: CliResult): LastLine {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  if (!line.includes('"state"')) throw new Error(`no batch at the end:\n${stdout}\n${stderr}`);
  return JSON.parse(line) as LastLine;
}

export async function manifestOf({ parts }: LastLine): Promise<Receipt[]> {
  const [end] = parts;
  if (end === undefined) throw new Error('no end');
  const bytes = await readFile(end.manifest);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(end.manifestSha256);
  const { files, counts } = JSON.parse(bytes.toString('utf8')) as {
    files: Receipt[];
    counts: BatchEnd['counts'];
  };
  expect(counts).toEqual(end.counts);
  expect(files).toHaveLength(counts.discovered);
  return files;
}

export function spooled(place: Workplace): string[] {
  const folder = place.path('data', 'spool');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((source) => readdirSync(`${folder}/${source}`));
}

/** With the sandbox as destination `demo`. */
export async function ingestPlace(
  sandboxOptions: Parameters<typeof sandboxForTest>[0] = {},
  more: object = {},
): Promise<{ readonly place: Workplace; readonly sandbox: Sandbox }> {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest(sandboxOptions);
  await place.config(inboxConfig(sandboxDestination(sandbox), { source: {}, ...more }));
  return { place, sandbox };
}
