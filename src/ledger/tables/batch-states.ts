import type { BatchState } from '../../domain/batch.ts';
import type { Ledger } from '../ledger-port.ts';
import { type BatchRow, type BatchTables, openBatchTables } from './batch-tables.ts';

/** The open batches of a source, from a ledger that is open for reading or writing. */
export function openBatchStates(source: string, ledger: Ledger): BatchState[] {
  const tables = openBatchTables(ledger);
  return tables === null ? [] : statesIn(source, tables.rows);
}

/** The open ones among these rows. */
export function statesIn(source: string, rows: BatchTables['rows']): BatchState[] {
  const states: BatchState[] = [];
  for (const { key, value } of rows.getRange({})) {
    if (!value.ended) states.push(stateOf(source, key, value));
  }
  return states;
}

/** What a row says of its batch. */
export function stateOf(source: string, batch: string, row: BatchRow): BatchState {
  const { destination, startedAt, members, waiting, manifest } = row;
  const discovered = row.walked || row.discovered;
  return { batch, source, destination, startedAt, discovered, members, done: members - waiting, manifest };
}
