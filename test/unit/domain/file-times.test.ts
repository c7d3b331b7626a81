import { expect, test } from 'vitest';
import { isoOfNs } from '../../../src/domain/file-version.ts';

test.each([
  ['1795309323004000000', '2026-11-22T01:02:03.004Z'],
  ['-1', '1970-01-01T00:00:00.000Z'],
  // ext4 and tmpfs keep more than a Date can hold.
  ['9223372036854775807000000000', '+275760-09-13T00:00:00.000Z'],
  ['-9223372036854775808000000000', '-271821-04-20T00:00:00.000Z'],
])('%s nanoseconds are told as %s', (ns, iso) => expect(isoOfNs(ns)).toBe(iso));
