import type { Receipt } from '../../src/domain/receipt.ts';
import { readSourceLedger } from '../../src/ledger/store/source-store.ts';
import type { ReceivedFile } from '../../src/sandbox/form/received-file.ts';
import type { KnownVersions } from './known-versions.ts';
import { SOURCE } from './round-place.ts';

/** The state of a round after it has drained. */
export interface Aftermath {
  readonly receipts: readonly Receipt[];
  readonly received: readonly ReceivedFile[];
  readonly known: KnownVersions;
  readonly onDisk: ReadonlySet<string>;
  readonly dataDir: string;
}

/** How many lines of one kind are shown: the first few say it all. */
const SHOWN = 5;

/** Every promise that does not hold, one line each; empty when all do. */
export async function violationsOf(aftermath: Aftermath): Promise<string[]> {
  return [
    ...shown('recorded twice', twiceRecorded(aftermath)),
    ...shown('generations with a gap', gaps(aftermath)),
    ...shown('recorded but never made', neverMade(aftermath)),
    ...shown('uploaded but not as recorded', notAtServer(aftermath)),
    ...shown('stored at the server but never the whole of a file', torn(aftermath)),
    ...shown('failed', failures(aftermath)),
    ...shown('on disk and not uploaded', await missing(aftermath)),
    ...shown('books', await unbalanced(aftermath)),
  ];
}

function shown(what: string, list: readonly string[]): string[] {
  if (list.length === 0) return [];
  return [`${what}: ${list.length}`, ...list.slice(0, SHOWN).map((line) => `  ${line}`)];
}

const named = ({ path, id, gen, status }: Receipt): string => `${path} ${id}-${gen} ${status}`;

function twiceRecorded({ receipts }: Aftermath): string[] {
  const seen = new Set<string>();
  return receipts
    .filter(({ id, gen }) => {
      const key = `${id}-${gen}`;
      if (seen.has(key)) return true;
      seen.add(key);
      return false;
    })
    .map(named);
}

function gaps({ receipts }: Aftermath): string[] {
  const next = new Map<string, number>();
  return receipts
    .filter(({ id, gen }) => {
      const expected = next.get(id) ?? 0;
      next.set(id, gen + 1);
      return gen !== expected;
    })
    .map(named);
}

function neverMade({ receipts, known }: Aftermath): string[] {
  return receipts.filter(({ id, path }) => known.find(id)?.path !== path).map(named);
}

/** The id in the receipt is the server's own: it leads to the very upload that was recorded. */
function notAtServer({ receipts, received, known }: Aftermath): string[] {
  const stored = new Map(received.map((file) => [file.id, file]));
  return receipts
    .filter(({ id, status, fileId, sha256, bytes }) => {
      if (status !== 'uploaded') return false;
      const file = stored.get(fileId ?? '');
      const made = known.find(id);
      return (
        file?.sha256 !== sha256 || file.bytes !== bytes || made?.sha256 !== sha256 || made.size !== bytes
      );
    })
    .map(named);
}

function torn({ received, known }: Aftermath): string[] {
  return received
    .filter(({ sha256 }) => !known.hasContent(sha256))
    .map(({ filename, bytes, receivedAt }) => `${filename} (${bytes} bytes at ${receivedAt})`);
}

function failures({ receipts }: Aftermath): string[] {
  return receipts
    .filter(({ status, error }) => status === 'failed' || (status === 'skipped' && !isOurDoing(error?.code)))
    .map((receipt) => `${named(receipt)} ${receipt.error?.code} ${receipt.error?.message}`);
}

/** What the harness itself does to files. */
function isOurDoing(code: string | undefined): boolean {
  return code === 'vanished' || code === 'changed';
}

async function missing({ receipts, known, onDisk }: Aftermath): Promise<string[]> {
  const latest = new Map(receipts.map((receipt) => [receipt.id, receipt]));
  const lines: string[] = [];
  for (const path of onDisk) {
    const id = await known.idOnDisk(path);
    const receipt = id === null ? undefined : latest.get(id);
    if (receipt?.status !== 'uploaded')
      lines.push(`${path} ${id} ${receipt?.status ?? 'no receipt'} ${receipt?.error?.code ?? ''}`);
  }
  return lines;
}

/** The ledger's counts against the journal's. */
async function unbalanced({ receipts, dataDir }: Aftermath): Promise<string[]> {
  const ledger = readSourceLedger(dataDir, SOURCE);
  if (ledger === null) return ['there is no ledger'];
  const { total, latest } = ledger.counts();
  const unfound = receipts.filter(({ id, gen }) => (ledger.find(id)?.gen ?? -1) < gen).length;
  const dead = ledger.deadLetters.count();
  await ledger.close();
  const lines: string[] = [];
  if (dead !== latest.failed) lines.push(`${dead} dead letters, ${latest.failed} paths that failed`);
  for (const status of ['uploaded', 'failed', 'skipped'] as const) {
    const count = receipts.filter((receipt) => receipt.status === status).length;
    if (total[status] !== count) lines.push(`ledger says ${total[status]} ${status}, the journal ${count}`);
  }
  const paths = new Set(receipts.map(({ path }) => path)).size;
  const latestSum = latest.uploaded + latest.failed + latest.skipped;
  if (latestSum !== paths) lines.push(`ledger has ${latestSum} paths, the journal ${paths}`);
  if (unfound > 0) lines.push(`${unfound} receipts are not in the ledger`);
  return lines;
}
