import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { fileVersionId } from '../../../src/domain/file-version.ts';
import { pathNameOf } from '../../../src/domain/path-bytes.ts';

const facts = { source: 'inbox', destination: 'autoglm', size: 4096, mtimeNs: '1795309323004000001' };

/** The definition, byte for byte. */
function defined(path: Buffer): string {
  const parts = [facts.source, facts.destination, path, String(facts.size), facts.mtimeNs];
  const bytes = parts.flatMap((part, at) =>
    at === 0 ? [Buffer.from(part)] : [Buffer.alloc(1), Buffer.from(part)],
  );
  return `f${createHash('sha256').update(Buffer.concat(bytes)).digest('hex').slice(0, 32)}`;
}

test('the id of a file version is the hash of its parts, with NUL between them', () => {
  for (const path of ['a.pdf', 'b/c d.txt', '会议/记录.txt', '😀', 'line\nbreak', 'e\u0301']) {
    expect(fileVersionId({ ...facts, path })).toBe(defined(Buffer.from(path)));
  }
});

test('a name that is not UTF-8 counts with its exact bytes', () => {
  const bytes = Buffer.from([0x66, 0xff, 0x2e, 0x62]);
  expect(fileVersionId({ ...facts, ...pathNameOf(bytes) })).toBe(defined(bytes));
});
