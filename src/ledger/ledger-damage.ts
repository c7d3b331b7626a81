import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * The pages of an LMDB file (data version 2, as lmdb 3 writes it), read as bytes before lmdb maps them: a page that is
 * not there, or an offset that leads out of one, ends the whole process with a bus error or a segmentation fault.
 */

/** Page number 8, transaction 8, pad 2, flags 2, lower 2, upper 2. */
const HEADER = 24;
const FLAGS_AT = 18;
const LOWER_AT = 20;
/** Of an overflow page, in the place of lower and upper: how many pages it is. */
const PAGES_AT = 20;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;

/** Within a meta page. The page size is kept with the first table, the list of free pages. */
const PAGE_SIZE_AT = 48;
const TABLES_AT = [48, 96] as const;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;

/** Of a table's record: where its root is named, and that it has none. */
const ROOT_AT = 40;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const TABLE_BYTES = 48;

/** Of a node: low and high half of its size, flags, size of the key; then the key and the data. */
const NODE_HEADER = 8;
const BIG = 0x01;
const TABLE = 0x02;

const MIN_PAGE = 512;
const MAX_PAGE = 65_536;
/** So deep is no tree of these: it leads in a circle. */
const MAX_DEPTH = 32;

/** How much of a file is looked at: `short`: all of its trees where it is shorter than it says; `whole`: in any case. */
export type PageCheck = 'short' | 'whole';

/**
 * What is wrong with the pages of a file; null: nothing was found. Only the structure is looked at, no values.
 * @param path of `data.mdb`, longer than 0 bytes
 */
export function pageDamage(path: string, check: PageCheck): string | null {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const meta = newestMeta(file, size);
    if (meta === null) return 'its head is damaged';
    const isShort = size < (Number(meta.readBigUInt64LE(LAST_PAGE_AT)) + 1) * pageSizeOf(meta);
    if (!isShort && check === 'short') return null;
    return treesDamage(file, size, meta);
  } finally {
    closeSync(file);
  }
}

function newestMeta(file: number, size: number): Buffer | null {
  const first = Buffer.alloc(TRANSACTION_AT + 8);
  if (readSync(file, first, 0, first.length, 0) < first.length) return null;
  const pageSize = pageSizeOf(first);
  if (pageSize < MIN_PAGE || pageSize > MAX_PAGE || (pageSize & (pageSize - 1)) !== 0 || size < 2 * pageSize)
    return null;
  const second = Buffer.alloc(first.length);
  readSync(file, second, 0, second.length, pageSize);
  const whole = [first, second].filter(
    (meta) => meta.readUInt16LE(FLAGS_AT) === META && pageSizeOf(meta) === pageSize,
  );
  return (
    whole.sort((a, b) => Number(b.readBigUInt64LE(TRANSACTION_AT) - a.readBigUInt64LE(TRANSACTION_AT)))[0] ??
    null
  );
}

function pageSizeOf(meta: Buffer): number {
  return meta.readUInt32LE(PAGE_SIZE_AT);
}

/** Walks every tree from its root. */
function treesDamage(file: number, size: number, meta: Buffer): string | null {
  const pageSize = pageSizeOf(meta);
  const page = Buffer.alloc(pageSize);
  const toVisit = TABLES_AT.map((at) => ({ number: meta.readBigUInt64LE(at + ROOT_AT), depth: 0 }));
  for (let next = toVisit.pop(); next !== undefined; next = toVisit.pop()) {
    const { number, depth } = next;
    if (number === NO_PAGE) continue;
    if ((number + 1n) * BigInt(pageSize) > BigInt(size)) return `page ${number} is not there: it was cut off`;
    readSync(file, page, 0, pageSize, Number(number) * pageSize);
    if (page.readBigUInt64LE(0) !== number || depth > MAX_DEPTH) return `page ${number} is damaged`;
    const flags = page.readUInt16LE(FLAGS_AT);
    if ((flags & OVERFLOW) !== 0) {
      const end = (number + BigInt(page.readUInt32LE(PAGES_AT))) * BigInt(pageSize);
      if (end > BigInt(size)) return `page ${number} is cut off`;
      continue;
    }
    const children = childrenOf(page, flags);
    if (children === null) return `page ${number} is damaged`;
    for (const child of children) toVisit.push({ number: child, depth: depth + 1 });
  }
  return null;
}

/** The pages that a page names; null: it is none of a tree. */
function childrenOf(page: Buffer, flags: number): bigint[] | null {
  const isBranch = (flags & BRANCH) !== 0;
  if (!isBranch && (flags & LEAF) === 0) return null;
  const lower = page.readUInt16LE(LOWER_AT);
  if (lower % 2 !== 0 || HEADER + lower > page.length) return null;
  const children: bigint[] = [];
  for (let at = HEADER; at < HEADER + lower; at += 2) {
    const node = HEADER + page.readUInt16LE(at);
    if (node + NODE_HEADER > page.length) return null;
    const [low, high, nodeFlags] = [
      page.readUInt16LE(node),
      page.readUInt16LE(node + 2),
      page.readUInt16LE(node + 4),
    ];
    const data = node + NODE_HEADER + page.readUInt16LE(node + 6);
    if (data > page.length) return null;
    if (isBranch) children.push(BigInt(low) | (BigInt(high) << 16n) | (BigInt(nodeFlags) << 32n));
    else if ((nodeFlags & BIG) !== 0) {
      if (data + 8 > page.length) return null;
      children.push(page.readBigUInt64LE(data));
    } else {
      const bytes = low | (high << 16);
      if (data + bytes > page.length) return null;
      if ((nodeFlags & TABLE) === 0) continue;
      if (bytes < TABLE_BYTES) return null;
      children.push(page.readBigUInt64LE(data + ROOT_AT));
    }
  }
  return children;
}
