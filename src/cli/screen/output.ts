import { once } from 'node:events';

let readerGone = false;

/** Prints data on stdout, no faster than its reader takes it. */
export async function print(text: string): Promise<void> {
  if (process.stdout.write(text)) return;
  // A reader that goes away never takes the rest; that is dealt with below.
  await once(process.stdout, 'drain').catch(ignoreGoneReader);
}

/** True once nobody reads stdout any more: what only prints may as well end. */
export function isReaderGone(): boolean {
  return readerGone;
}

/**
 * A reader that goes away (`slipway … | head -1`) ends the printing and nothing else: the uploads under way, their
 * receipts, the exit code and the private Redis are not its business.
 */
export function surviveGoneReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    ignoreGoneReader(error);
    readerGone = true;
    process.stdout.write = swallow;
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    ignoreGoneReader(error);
    process.stderr.write = swallow;
  });
}

function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

function swallow(): boolean {
  return true;
}
