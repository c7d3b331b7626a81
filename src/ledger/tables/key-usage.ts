import type { Ledger } from '../ledger-port.ts';

/** Bytes by API key and UTC day (`2026-11-30`). */
export interface KeyUsage {
  used(key: string, day: string): number;
  /** Durable when it returns. Days that are over are forgotten. */
  add(key: string, day: string, bytes: number): void;
}

export function openKeyUsage(ledger: Ledger): KeyUsage {
  const table = ledger.table<{ day: string; bytes: number }, string>('key-usage');
  const used = (key: string, day: string): number => {
    const kept = table?.get(key);
    return kept?.day === day ? kept.bytes : 0;
  };
  return {
    used,
    add(key, day, bytes) {
      ledger.transact(() => void table?.putSync(key, { day, bytes: used(key, day) + bytes }));
    },
  };
}
