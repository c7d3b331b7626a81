import type { EntryMark, EntryMarks, KeptEntryMark } from '../../domain/entry-mark.ts';
import { jobIdOf } from '../../domain/upload-job.ts';
import { versionKey } from '../ledger-codec.ts';
import type { Ledger } from '../ledger-port.ts';

/** Generation 4, whether there is a checksum 1, checksum 4; the archive follows. */
const FIXED_BYTES = 9;

/** Entries of archives by their version. Marks are written with the commit of the receipt. */
export function openEntryMarks(ledger: Ledger): EntryMarks {
  const table = ledger.table<Buffer, Uint8Array>('entry-marks');
  const remembered = new Map<string, EntryMark>();

  ledger.alongside(({ id, gen }) => {
    if (remembered.size === 0) return;
    const jobId = jobIdOf(id, gen);
    const mark = remembered.get(jobId);
    if (mark === undefined) return;
    remembered.delete(jobId);
    table?.putSync(versionKey(id), encodeMark({ ...mark, gen }));
  });

  return {
    find(id) {
      const value = table?.get(versionKey(id));
      return value === undefined ? null : decodeMark(value);
    },
    remember: (jobId, mark) => void remembered.set(jobId, mark),
    know(marks) {
      if (marks.length > 0)
        ledger.transact(() => {
          for (const { id, mark } of marks) table?.putSync(versionKey(id), encodeMark(mark));
        });
    },
  };
}

function encodeMark({ gen, archive, crc32 }: KeptEntryMark): Buffer {
  const bytes = Buffer.alloc(FIXED_BYTES + Buffer.byteLength(archive));
  bytes.writeUInt32BE(gen, 0);
  bytes.writeUInt8(crc32 === null ? 0 : 1, 4);
  bytes.writeUInt32BE(crc32 ?? 0, 5);
  bytes.write(archive, FIXED_BYTES);
  return bytes;
}

function decodeMark(bytes: Buffer): KeptEntryMark {
  return {
    gen: bytes.readUInt32BE(0),
    crc32: bytes.readUInt8(4) === 0 ? null : bytes.readUInt32BE(5),
    archive: bytes.toString('utf8', FIXED_BYTES),
  };
}
