import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDir } from '../../config/place.ts';
import type { Log } from '../../domain/log.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { paintFor, printable } from './terminal.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Tells what works in a config file and may still not be meant: to the log of a service at each start, to a person in
 * words, and no more than once a day for one file.
 * @param file null: there is none, and nothing to warn of
 */
export async function tellWarnings(
  warnings: readonly string[],
  { file, level, log }: { readonly file: string | null; readonly level: string; readonly log: Log },
): Promise<void> {
  if (warnings.length === 0) return;
  if (!process.stderr.isTTY) {
    for (const warning of warnings) log.warn({}, warning);
    return;
  }
  if (level === 'silent' || level === 'error') return;
  if (file !== null && (await wasToldToday(file, Date.now()))) return;
  const mark = paintFor(process.stderr, process.env).bad('!');
  for (const warning of warnings) process.stderr.write(`${mark} ${printable(warning)}\n`);
}

/** Remembers it if not. Where that cannot be kept it is told again. */
async function wasToldToday(file: string, nowMs: number): Promise<boolean> {
  const kept = join(cacheDir(process.env), 'warned.json');
  const told = await readTold(kept);
  const beforeMs = told[file];
  if (beforeMs !== undefined && beforeMs <= nowMs && nowMs - beforeMs < DAY_MS) return true;
  const recent = Object.entries(told).filter(([, atMs]) => nowMs - atMs < DAY_MS);
  const text = `${JSON.stringify(Object.fromEntries([...recent, [file, nowMs]]))}\n`;
  await mkdir(dirname(kept), { recursive: true, mode: 0o700 })
    .then(() => writeAtomic(kept, text, { mode: 0o600 }))
    .catch(() => undefined);
  return false;
}

async function readTold(kept: string): Promise<Record<string, number>> {
  try {
    const told: unknown = JSON.parse(await readFile(kept, 'utf8'));
    if (typeof told !== 'object' || told === null) return {};
    return Object.fromEntries(
      Object.entries(told).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
    );
  } catch {
    return {};
  }
}
