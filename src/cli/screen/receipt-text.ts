import type { Receipt } from '../../domain/receipt.ts';
import { formatBytes } from '../../platform/units.ts';
import { type Paint, printable } from './terminal.ts';

/** One receipt for people. */
export function receiptText(receipt: Receipt, paint: Paint): string {
  const { path, source, destination, status, gen, bytes, id, error } = receipt;
  const outcome = status === 'uploaded' ? paint.good(status) : paint.bad(status);
  const again = gen === 0 ? '' : `, generation ${gen}`;
  const rows: readonly (readonly [string, string | null])[] = [
    ['url', receipt.url],
    ['fileId', receipt.fileId],
    ['ref', receipt.ref === receipt.url ? null : receipt.ref],
    ['error', error === null ? null : `${error.code}: ${error.message}`],
    ['reuses', receipt.reusedFrom ?? null],
    ['sent as', receipt.sentName ?? null],
    ['sha256', receipt.sha256],
    ['recorded', receipt.recordedAt],
    ['expires', receipt.expiresAt],
    ['batch', receipt.batch],
    ['id', `${id}-${gen}`],
  ];
  const head = `${printable(path)}  ${outcome}${again}  ${formatBytes(bytes)}  ${source} → ${destination}`;
  const lines = rows.filter(([, value]) => value !== null && value !== '');
  return [head, ...lines.map(([name, value]) => `  ${name.padEnd(9)}${printable(value ?? '')}`)].join('\n');
}
