import { dirname } from 'node:path';
import type { Receipt } from '../../domain/receipt.ts';
import { GATEWAY_SOURCE, receivedIdIn } from '../../domain/received-source.ts';
import { createFileStats } from '../../intake/scan/stat-files.ts';
import type { DeadUpload } from '../../ledger/store/dead-upload-reader.ts';
import { openRecordReader } from '../../ledger/store/record-reader.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openAcceptedFiles } from '../../ledger/tables/accepted-files.ts';
import { findMoved } from '../../record/after/moved-away.ts';
import type { FailedRequest, MissingFile } from '../../runtime/owner/failed-uploads.ts';
import { becomeOwner, type OwnerDoor, reachLiveOwner } from '../../runtime/owner/owner-request.ts';
import { type KnownSource, placeOf } from '../../runtime/plans/known-sources.ts';
import type {
  DeadLetterFacts,
  DeadLetterFilter,
  DeadLetterKind,
  DeadLetterResult,
  ShownDeadLetter,
} from './dead-letter-kind.ts';

/** Told of those that cannot be sent now. */
const EXAMPLES = 5;

/** Files whose upload has failed for good: paths whose latest receipt is `failed`. */
export function deadUploads(options: DeadLetterFacts): DeadLetterKind {
  return {
    words: { one: 'file', many: 'files' },

    /** From ledger and journal, beside a running owner or without one. */
    async *list(filter) {
      for (const source of options.sources) {
        const reader = await openRecordReader(placeOf(source, options.dataDir, options.log));
        if (reader === null) continue;
        try {
          for await (const uploads of reader.dead(filter))
            yield uploads.map((upload) => shown(source, upload));
        } finally {
          await reader.close();
        }
      }
    },

    retry: (filter) => ofEach(options, 'retry-failed', filter),
    discard: (filter) => ofEach(options, 'discard-failed', filter),
  };
}

async function ofEach(
  facts: DeadLetterFacts,
  kind: FailedRequest['kind'],
  filter: DeadLetterFilter,
): Promise<DeadLetterResult[]> {
  const results: DeadLetterResult[] = [];
  for (const source of facts.sources) {
    const door = await doorTo(source, facts);
    if (door === null) continue;
    try {
      const result = await everyPage(source.name, door, kind, filter);
      if (result.letters > 0) results.push(result);
    } finally {
      await door.close();
    }
  }
  return results;
}

/** null: nobody works on it now, and nothing of it has failed. */
async function doorTo(source: KnownSource, facts: DeadLetterFacts): Promise<OwnerDoor | null> {
  const live = await reachLiveOwner(source, facts);
  if (live !== null) return live;
  const reader = await openRecordReader(placeOf(source, facts.dataDir, facts.log));
  const count = reader?.deadCount() ?? 0;
  await reader?.close();
  return count === 0 ? null : await becomeOwner(source, facts);
}

async function everyPage(
  source: string,
  door: OwnerDoor,
  kind: FailedRequest['kind'],
  filter: DeadLetterFilter,
): Promise<DeadLetterResult> {
  let [letters, putBack, missing] = [0, 0, 0];
  const examples: MissingFile[] = [];
  for (let after: string | null = null; ; ) {
    const answer: Awaited<ReturnType<typeof door.ask<'retry-failed'>>> = await door.ask<
      FailedRequest['kind']
    >({
      kind,
      filter,
      after,
    });
    letters += answer.versions;
    putBack += answer.putBack;
    missing += answer.missing;
    examples.push(...answer.examples.slice(0, EXAMPLES - examples.length));
    after = answer.next;
    if (after === null) break;
  }
  const owner = door.by.kind === 'self' ? null : { pid: door.by.owner.pid, host: door.by.owner.host };
  return { source, letters, refused: null, putBack, missing, examples, owner };
}

function shown(source: KnownSource, { letter, receipt }: DeadUpload): ShownDeadLetter {
  return {
    source: source.name,
    code: receipt.error?.code ?? '',
    httpStatus: receipt.error?.httpStatus ?? null,
    message: receipt.error?.message ?? '',
    fix: source.name === GATEWAY_SOURCE ? fixOfReceived(receipt) : fixOf(receipt),
    subject: receipt.path,
    json: receipt,
    note: () => noteOn(source, receipt, letter.recorded.again),
  };
}

/** Of errors of this machine the message says more. */
function fixOf({ error }: Receipt): string {
  const retry = `slipway failed retry --code ${error?.code}`;
  switch (error?.kind) {
    case 'rejected':
      return `correct the file: its new version is sent by itself; or send it as it is with ${retry}; or give it up with slipway failed discard --code ${error.code}`;
    case 'unavailable':
    case 'throttled':
      return `once the destination is well again: ${retry}`;
    default:
      return `once that is mended: ${retry}`;
  }
}

/** Nobody writes into what came in by HTTP: a corrected file is another one. */
function fixOfReceived({ error }: Receipt): string {
  const kept = `if it was sent with mode queue its bytes are kept: slipway failed retry --code ${error?.code}, or discard`;
  return `send it to the gateway again${error?.kind === 'rejected' ? ', corrected' : ''}; ${kept}`;
}

/** Whether the bytes of what came in by HTTP are there to be sent. */
async function noteOnReceived({ plan }: KnownSource, { path, gen }: Receipt): Promise<string | null> {
  const ledger = readSourceLedger(dirname(plan.root), GATEWAY_SOURCE);
  const file = ledger === null ? null : openAcceptedFiles(ledger).find(receivedIdIn(path) ?? '');
  await ledger?.close();
  if (file === null) return 'its bytes were not kept';
  return file.gen > gen ? 'goes again' : null;
}

/** A file that was moved away is marked to go again too, should it come back: where it lies says more. */
async function noteOn(source: KnownSource, receipt: Receipt, again: boolean): Promise<string | null> {
  if (source.name === GATEWAY_SOURCE) return await noteOnReceived(source, receipt);
  const { plan } = source;
  const { root, onFailure } = plan;
  const [look] = await createFileStats(root, () => false, performance.now).at([receipt]);
  if (look?.kind === 'gone') {
    const from = onFailure === 'keep' ? null : await findMoved(onFailure.moveTo, root, receipt);
    return from === null ? 'not on disk' : `lies at ${from.toString('utf8')}`;
  }
  const isThis =
    look?.kind === 'file' && look.file.size === receipt.bytes && look.file.mtimeNs === receipt.mtimeNs;
  if (look?.kind === 'file' && !isThis) return 'another version lies there now, and is sent by itself';
  return again ? 'goes again' : null;
}
