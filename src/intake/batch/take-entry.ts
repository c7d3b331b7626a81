import { createHash } from 'node:crypto';
import { SlipwayError } from '../../domain/errors.ts';
import type { UnsentReason } from '../../domain/unsent-outcome.ts';
import { formatBytes } from '../../platform/units.ts';
import type { Admission } from '../admit/admission.ts';
import { type Candidate, type EntryCandidate, isUpload } from '../admit/candidate.ts';
import type { FileEntry } from '../archives/archive-entry.ts';
import type { Spool } from '../archives/spool.ts';
import type { AdmissionPorts } from '../ports.ts';

/** A file of an archive, into the spool and on its way, or to a receipt that says why not. */
export async function takeEntry(
  need: EntryCandidate,
  entry: FileEntry,
  to: {
    readonly spool: Spool;
    readonly ports: AdmissionPorts;
    readonly admission: Admission;
    readonly flush: (signal: AbortSignal) => Promise<void>;
    readonly refuse: (need: Candidate, reason: UnsentReason) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { spool, ports, admission, flush, refuse, signal } = to;
  const { jobId } = need;
  const { size } = entry;
  if (!isUpload(need)) return void admission.take(need);
  if (ports.isPending(jobId) && spool.has(jobId, size)) return;
  if (size > spool.maxBytes) return refuse(need, tooLarge(size, spool.maxBytes));
  // What is gathered holds room in the spool that only a recorded upload gives back.
  if (!spool.fits(size)) await flush(signal);
  const unpacked = await unpack(need, entry, { spool, ports, signal });
  if ('code' in unpacked) refuse(need, unpacked);
  else admission.take(unpacked);
}

/** Into the spool, its hash taken on the way where contents are compared. @returns why it cannot be sent, else */
async function unpack(
  need: EntryCandidate,
  entry: FileEntry,
  to: { readonly spool: Spool; readonly ports: AdmissionPorts; readonly signal: AbortSignal },
): Promise<EntryCandidate | UnsentReason> {
  const { spool, ports, signal } = to;
  const hash = ports.contents === undefined ? null : createHash('sha256');
  try {
    const unpacked = await spool.put(need.jobId, entry, signal, (chunk) => hash?.update(chunk));
    // One whose job waits already is sent: it gets no receipt beside it.
    const isNew = unpacked && !ports.isPending(need.jobId);
    return { ...need, sha256: isNew ? (hash?.digest('hex') ?? null) : null };
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'archive_entry_broken') throw error;
    const { code, kind, message } = error;
    return { status: 'failed', code, kind, message };
  }
}

function tooLarge(size: number, maxBytes: number): UnsentReason {
  const message = `${formatBytes(size)} does not fit into the spool (${formatBytes(maxBytes)}): raise spool.maxBytes, or unpack the archive and ingest the folder`;
  return { status: 'skipped', code: 'too_large', kind: 'skipped', message };
}
