/** How the values and keys of a table are stored. */
export interface TableCoding {
  readonly encoding: 'binary' | 'json';
  readonly keyEncoding: 'binary' | 'ordered-binary';
}

/**
 * What becomes of a table when a ledger is built anew: from its journal (`manifest rebuild`, or one that is damaged), or
 * from a compacted one, in which the receipts lie at other places.
 * - `replayed`: the receipts say all of it; it is made again as they are read
 * - `copied`: no receipt says it, and it names versions and paths, not places in the journal: taken over as it lies
 * - `moved`: no receipt says it, and it names places in the journal, or is entangled with what is replayed: code of its
 *   own takes it over (`build-ledger.ts`, `outbox-carry.ts`)
 * - `loaded`: every start fills it from a file of the user's
 */
export type TableFate = 'replayed' | 'copied' | 'moved' | 'loaded';

interface TableEntry {
  readonly coding: TableCoding;
  readonly fate: TableFate;
}

const BINARY: TableCoding = { encoding: 'binary', keyEncoding: 'binary' };
const JSON_ROWS: TableCoding = { encoding: 'json', keyEncoding: 'ordered-binary' };
/** Keys of bytes, rows of JSON. */
const JSON_BY_KEY: TableCoding = { encoding: 'json', keyEncoding: 'binary' };

/** Every table of a source's ledger, by its name in LMDB: none can be opened that is not here. */
export const LEDGER_TABLES = {
  receipts: { coding: BINARY, fate: 'replayed' },
  paths: { coding: BINARY, fate: 'replayed' },
  /** Watermark, counts, identity. */
  meta: { coding: JSON_ROWS, fate: 'replayed' },
  failed: { coding: BINARY, fate: 'replayed' },
  discarded: { coding: BINARY, fate: 'moved' },
  intents: { coding: JSON_ROWS, fate: 'moved' },
  contents: { coding: BINARY, fate: 'replayed' },
  /** Of them the first pass over the folder is taken over; the others are places in the journal. */
  cursors: { coding: JSON_ROWS, fate: 'moved' },
  inodes: { coding: BINARY, fate: 'copied' },
  'changed-verdicts': { coding: BINARY, fate: 'copied' },
  'entry-marks': { coding: BINARY, fate: 'copied' },
  root: { coding: JSON_ROWS, fate: 'copied' },
  batches: { coding: JSON_ROWS, fate: 'copied' },
  'batch-members': { coding: BINARY, fate: 'copied' },
  'batch-waiting': { coding: BINARY, fate: 'copied' },
  'folder-batches': { coding: JSON_ROWS, fate: 'copied' },
  'batch-ends': { coding: JSON_ROWS, fate: 'moved' },
  'batch-end-places': { coding: JSON_ROWS, fate: 'moved' },
  'file-meta': { coding: JSON_ROWS, fate: 'copied' },
  'meta-list': { coding: JSON_BY_KEY, fate: 'loaded' },
  'lost-jobs': { coding: JSON_ROWS, fate: 'copied' },
  'webhook-endpoints': { coding: JSON_ROWS, fate: 'moved' },
  'webhook-deliveries': { coding: JSON_ROWS, fate: 'moved' },
  'webhook-windows': { coding: JSON_ROWS, fate: 'moved' },
  /** Files that came in by HTTP, by their ids. */
  received: { coding: JSON_ROWS, fate: 'replayed' },
  /** Files that came in by HTTP and are to be sent: no receipt knows of them. */
  accepted: { coding: JSON_ROWS, fate: 'copied' },
  'kept-answers': { coding: JSON_ROWS, fate: 'copied' },
  'key-usage': { coding: JSON_ROWS, fate: 'copied' },
} as const satisfies Readonly<Record<string, TableEntry>>;

export type TableName = keyof typeof LEDGER_TABLES;

export const TABLE_NAMES = Object.keys(LEDGER_TABLES) as readonly TableName[];

/** Tables of one fate. */
export function tablesOfFate(fate: TableFate): TableName[] {
  return TABLE_NAMES.filter((name) => LEDGER_TABLES[name].fate === fate);
}
