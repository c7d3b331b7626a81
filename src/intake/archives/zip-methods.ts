/** How an entry may be packed (APPNOTE 4.4.5), by the names that unpackers show. */
const METHODS: Readonly<Record<number, string>> = {
  0: 'Stored',
  1: 'Shrink',
  2: 'Reduce',
  3: 'Reduce',
  4: 'Reduce',
  5: 'Reduce',
  6: 'Implode',
  8: 'Deflate',
  9: 'Deflate64',
  10: 'PKWARE DCL Implode',
  12: 'bzip2',
  14: 'LZMA',
  16: 'IBM CMPSC',
  18: 'IBM TERSE',
  19: 'IBM LZ77',
  20: 'Zstandard',
  93: 'Zstandard',
  94: 'MP3',
  95: 'xz',
  96: 'JPEG',
  97: 'WavPack',
  98: 'PPMd',
  99: 'AES encryption',
};

export const STORED = 0;
export const DEFLATED = 8;

/** 20 is what the format said before 93. */
const ZSTANDARD: ReadonlySet<number> = new Set([20, 93]);

/** As a person knows it, with its number. */
export function methodName(method: number): string {
  return `${METHODS[method] ?? 'an unknown method'} (method ${method})`;
}

export function isZstandard(method: number): boolean {
  return ZSTANDARD.has(method);
}

export function canUnpack(method: number): boolean {
  return method === STORED || method === DEFLATED || isZstandard(method);
}
