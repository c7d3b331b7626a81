/**
 * What holds of every run in which nothing went wrong: it says nothing at warn or error, no job counts as lost, and as
 * many uploads reached the server as there are files. For runs in this process and for the command.
 */
import { expect } from 'vitest';
import type { Run } from '../../src/runtime/run.ts';
import { logLines } from './cli.ts';
import type { LogLine } from './record-rig.ts';
import type { RunRig } from './run-rig.ts';
import type { Workplace } from './workplace.ts';

/** pino's number of `warn`. */
const WARN = 40;

/** Whoever counts uploads at the far side; a sandbox is one. */
export interface UploadCount {
  /** Every upload that arrived, those of the same file again included. */
  summary(): { readonly count: number };
}

/** Lines of a log in memory that say that something is wrong. */
export function complaintsIn(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ level }) => level === 'warn' || level === 'error');
}

/**
 * @param uploads at the server, of all runs of this rig
 * @param files that were to be sent
 */
export async function expectHealthyRun(
  { rig, run, server }: { readonly rig: RunRig; readonly run: Run; readonly server: UploadCount },
  files: number,
): Promise<void> {
  const { sources } = await run.report();
  expect({
    complaints: complaintsIn(rig.log.lines),
    lostJobs: sources.map(({ lostJobs }) => lostJobs),
    uploads: server.summary().count,
  }).toEqual({ complaints: [], lostJobs: sources.map(() => 0), uploads: files });
}

/** The same of a command that has ended; its sources are asked with `status`. */
export async function expectHealthyCommand(
  {
    place,
    stderr,
    server,
  }: { readonly place: Workplace; readonly stderr: string; readonly server: UploadCount },
  files: number,
): Promise<void> {
  const status = await place.run(['status', '--json']);
  const { sources } = JSON.parse(status.stdout) as { sources: readonly { readonly lostJobs: number }[] };
  expect({
    complaints: logLines(stderr).filter(({ level }) => level >= WARN),
    lostJobs: sources.map(({ lostJobs }) => lostJobs),
    uploads: server.summary().count,
  }).toEqual({ complaints: [], lostJobs: sources.map(() => 0), uploads: files });
}
