/** What comments and pages point to is there: sections and guarantees of the contract, files, rooms, formats. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../../scripts/checks/boundary-rules.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { withSum } from '../../src/ledger/journal/line-sum.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const files = (pattern: string): string[] => globSync(pattern, { cwd: ROOT }).sort();

const CONTRACT = read('docs/contract.md');
const SECTIONS = new Set([...CONTRACT.matchAll(/^#{2,3} (\d+(?:\.\d+)?)\.? /gm)].map((found) => found[1]));
const GUARANTEES = new Set([...CONTRACT.matchAll(/^- \*\*(G\d), /gm)].map((found) => found[1]));
const CODE = [...files('{src,scripts,test}/**/*.ts')].filter((path) => path !== 'test/unit/docs.test.ts');

/** Everything in the sources that this pattern finds, as `path: text`, where `isKnown` says no. */
function unknownIn(
  paths: readonly string[],
  pattern: RegExp,
  isKnown: (match: RegExpMatchArray, path: string) => boolean,
): string[] {
  return paths.flatMap((path) =>
    [...read(path).matchAll(pattern)]
      .filter((match) => !isKnown(match, path))
      .map((match) => `${path}: ${match[0]}`),
  );
}

describe('references to the contract', () => {
  it('has nine guarantees and the sections that comments name', () => {
    expect([...GUARANTEES]).toEqual(['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8', 'G9']);
    expect(SECTIONS.size).toBeGreaterThan(10);
  });

  it('finds every section that a comment names, and of every other § the document', () => {
    const mentions = unknownIn(
      CODE,
      /(?:(contract|RFC \d+) )?§ ?(\d+(?:\.\d+)*)/g,
      ([, document, section]) =>
        document === 'contract' ? SECTIONS.has(section) : document?.startsWith('RFC ') === true,
    );
    expect(mentions).toEqual([]);
  });

  it('finds every guarantee that a comment names', () => {
    expect(unknownIn(CODE, /\bG\d+\b/g, ([name]) => GUARANTEES.has(name))).toEqual([]);
  });

  it('finds every section that a page names', () => {
    const pages = files('{docs/**/,}*.md').filter((path) => !path.startsWith('node_modules'));
    const unknown = unknownIn(
      pages,
      /contract §(\d+(?:\.\d+)*)|\b(G[1-9])\b/g,
      ([, section, guarantee]) => SECTIONS.has(section ?? '') || GUARANTEES.has(guarantee ?? ''),
    );
    expect(unknown).toEqual([]);
  });
});

describe('references to the tree', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...files('docs/**/*.md')];
  const tree = [...files('{src,scripts,test}/**/*.ts'), 'vitest.config.ts'].map((path) => `/${path}`);

  it('finds every source file that a page names', () => {
    const unknown = pages.flatMap((page) =>
      namedFiles(read(page))
        .filter((name) => !tree.some((path) => path.endsWith(`/${name}`)))
        .map((name) => `${page}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('finds every source file that a comment in src names', () => {
    const unknown = files('src/**/*.ts').flatMap((path) =>
      commentsOf(read(path))
        .flatMap((comment) => namedFiles(comment))
        .filter((name) => !tree.some((one) => one.endsWith(`/${name}`)))
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('finds where the architecture says to begin reading, in the room it says', () => {
    const missing = roomRows().flatMap(([room, , start = '']) =>
      namedFiles(start)
        .filter((name) => !tree.some((path) => path.startsWith(`/src/${room}/`) && path.endsWith(`/${name}`)))
        .map((name) => `${room}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('lists the rooms that the boundary check knows, of those that are built', () => {
    const built = new Set(files('src/*/**/*.ts').map((path) => path.split('/')[1]));
    const rooms = Object.keys(ROOMS).filter((room) => built.has(room));
    expect(
      roomRows()
        .map(([room]) => room)
        .sort(),
    ).toEqual(rooms.sort());
    expect([...built].filter((room) => ROOMS[room ?? ''] === undefined)).toEqual([]);
  });
});

describe('what the contract says of the code', () => {
  it('names every exit code and no other', () => {
    const table = section('7').matchAll(/^\| ([\d, ]+) \|/gm);
    const said = [...table].flatMap(([, codes = '']) => codes.split(', ').map(Number));
    expect(said.sort((a, b) => a - b)).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });

  it('names every section of the configuration', () => {
    const schema = JSON.parse(read('config/slipway.schema.json')) as { properties: object };
    const said = /The sections:\n(?<names>.+)\./.exec(section('8'))?.groups?.names ?? '';
    expect(said.split(', ').sort()).toEqual(
      Object.keys(schema.properties)
        .map((key) => `\`${key}\``)
        .sort(),
    );
  });

  it('gives the keys of a receipt in the order of the journal', () => {
    const said = /```\n(?<keys>v id [^`]+)```/.exec(section('9'))?.groups?.keys ?? '';
    const keys = said.trim().split(/\s+/);
    const receipt = Object.fromEntries(keys.map((key) => [key.replace('?', ''), key])) as unknown as Receipt;
    expect(Object.keys(JSON.parse(withSum(encodeReceipt(receipt))) as object)).toEqual(
      keys.map((key) => key.replace('?', '')),
    );
    const { pathBytes, reusedFrom, sentName, meta, seenMs, settledMs, attemptLog, ...always } = receipt;
    const optional = keys.filter((key) => key.endsWith('?'));
    expect([pathBytes, reusedFrom, sentName, meta, seenMs, settledMs, attemptLog]).toEqual(optional);
    expect(Object.keys(JSON.parse(withSum(encodeReceipt(always))) as object)).toEqual(
      keys.filter((key) => !key.endsWith('?')),
    );
  });
});

/** The text of one section, up to the next of its level. */
function section(name: string): string {
  return CONTRACT.split(/^## /m).find((text) => text.startsWith(`${name}. `)) ?? '';
}

/** Names of TypeScript files; in a diagram or a command only those with a folder, since it draws more than what is there. */
function namedFiles(text: string): string[] {
  const names = /(?<![\w.*{}…/-])(?:\.\.\/|\.\/)*((?:[\w.-]+\/)*[\w-][\w.-]*\.ts)\b/g;
  const prose = text.replace(/^```[\s\S]*?^```/gm, (block) =>
    [...block.matchAll(names)].map(([, name]) => (name?.includes('/') ? name : '')).join(' '),
  );
  return [...prose.matchAll(names)].map(([, name = '']) => name);
}

/** Whole-line comments. */
function commentsOf(code: string): string[] {
  return [...code.matchAll(/^[ \t]*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm)].map(([comment]) => comment);
}

/** The table of rooms: name, question, where to begin. */
function roomRows(): string[][] {
  const [, table = ''] = read('docs/architecture.md').split('| room |');
  const rows = table.split('\n\n')[0]?.matchAll(/^\| `(\w+)` \| ([^|]*) \| (.*) \|$/gm) ?? [];
  return [...rows].map(([, room = '', question = '', start = '']) => [room, question, start]);
}
