import { versionKey } from '../ledger-codec.ts';
import type { Ledger } from '../ledger-port.ts';

/** How many times in a row a version was recorded as changed: what lies on disk as it was cannot be, for ever. */
export interface ChangedVerdicts {
  /** Of a version whose newest receipt says changed. */
  inARow(id: string, gen: number): number;
}

/** Generation 4, count 1. */
const VALUE_BYTES = 5;

/** Counts with every commit from now on; nothing is written for other verdicts, which end a row by their generation. */
export function openChangedVerdicts(ledger: Ledger): ChangedVerdicts {
  const table = ledger.table<Buffer, Uint8Array>('changed-verdicts');

  function inARow(id: string, gen: number): number {
    const value = table?.get(versionKey(id));
    return value !== undefined && value.readUInt32BE(0) === gen ? value.readUInt8(4) : 0;
  }

  ledger.alongside(({ id, gen, code }) => {
    if (code !== 'changed') return;
    const value = Buffer.alloc(VALUE_BYTES);
    value.writeUInt32BE(gen, 0);
    value.writeUInt8(Math.min(0xff, gen === 0 ? 1 : inARow(id, gen - 1) + 1), 4);
    table?.putSync(versionKey(id), value);
  });
  return { inARow };
}
