import { basename } from 'node:path/posix';
import { importCycles } from './import-cycles.ts';
import type { SourceFile, SourceImport } from './source-files.ts';

export interface Breach {
  /** Below `src`. */
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly detail: string;
}

/** The stages, in the order in which a file walks through them. They meet only in the rooms above them. */
const STAGES = ['intake', 'queue', 'upload', 'record', 'notify'] as const;
const GROUND = ['destinations', 'pacing', 'domain', 'platform'] as const;
/** What stages stand on: the server that processes share, whether a destination may be sent to now, what is kept. */
const SERVICES = ['redis', 'traffic', 'ledger'] as const;
const BELOW_STAGES = [...SERVICES, ...GROUND] as const;
const BELOW_OPERATIONS = ['runtime', 'config', ...STAGES, ...BELOW_STAGES] as const;

/** What each room may import besides itself (docs/architecture.md). A folder that is not named here is no room. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  // Files directly in src: the public API.
  '': ['gateway', 'operations', 'runtime', 'config', ...GROUND],
  cli: ['gateway', 'sandbox', 'operations', 'runtime', 'config', ...GROUND],
  gateway: ['operations', 'runtime', 'config', ...GROUND],
  operations: [...BELOW_OPERATIONS],
  runtime: ['config', ...STAGES, ...BELOW_STAGES],
  config: [...GROUND],
  intake: [...BELOW_STAGES],
  queue: [...BELOW_STAGES],
  upload: [...BELOW_STAGES],
  record: [...BELOW_STAGES],
  notify: [...BELOW_STAGES],
  traffic: ['redis', ...GROUND],
  redis: [...GROUND],
  ledger: [...GROUND],
  destinations: ['pacing', 'domain', 'platform'],
  pacing: ['domain', 'platform'],
  platform: ['domain'],
  domain: [],
  sandbox: ['domain', 'platform'],
};

/** Rooms above the stages may read the config; for all others options arrive resolved. */
const MAY_READ_CONFIG = ['', 'cli', 'gateway', 'operations', 'runtime', 'config'];

/** The one home of each outside library: a room, or one file. null: at home everywhere. */
const LIBRARY_HOMES: Readonly<Record<string, string | readonly string[] | null>> = {
  chokidar: 'intake/',
  bullmq: 'queue/',
  // The queue room names the type of the connection that it is handed.
  ioredis: ['redis/', 'queue/'],
  'mime-types': 'upload/',
  lmdb: ['ledger/', 'record/'],
  undici: 'platform/http/http-client.ts',
  yaml: 'platform/files/yaml-document.ts',
  picomatch: 'platform/files/glob.ts',
  pino: 'runtime/logger.ts',
  yauzl: 'intake/',
  standardwebhooks: 'notify/',
  fastify: 'gateway/',
  commander: 'cli/',
  '@fastify/busboy': 'gateway/',
  'file-type': 'operations/receive/',
  'prom-client': 'gateway/',
  '@bull-board/api': 'queue/',
  '@bull-board/fastify': 'gateway/',
  '@tus/server': 'gateway/',
  '@tus/file-store': 'gateway/',
  zod: null,
};

const MAX_LINES = 300;
/** The first line of a longer file: `// Over 300 lines: <reason>`. */
const LENGTH_REASON = /^\/[/*]+ Over 300 lines: \S.{10,}/;
/** Names without a job in them; whatever they hold grows without end. */
const EMPTY_NAMES = /^(utils?|helpers?|managers?|common|misc|lib|shared)$|-(utils?|helpers?|manager)$/;
/** Base names that any number of folders may have; every other one is there once. */
const NAMES_OF_MANY: readonly string[] = ['options', 'ports', 'index'];
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** Every breach of every rule, in the order of files and lines. */
export function findBreaches(files: readonly SourceFile[]): readonly Breach[] {
  const breaches = [
    ...files.flatMap((file) => [
      ...nameBreaches(file),
      ...lengthBreaches(file),
      ...opaqueBreaches(file),
      ...file.imports.flatMap((found) =>
        found.target === null ? libraryBreaches(file, found) : roomBreaches(file, found, found.target),
      ),
    ]),
    ...twinBreaches(files),
    ...cycleBreaches(files),
  ];
  return breaches.sort((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1));
}

function roomBreaches(file: SourceFile, found: SourceImport, target: string): Breach[] {
  const breach = (rule: string, detail: string): Breach[] => [
    { path: file.path, line: found.line, rule, detail },
  ];
  if (target.startsWith('..')) return breach('outside-src', `${found.specifier} leaves src`);
  const from = file.room;
  const to = target.includes('/') ? (target.split('/')[0] ?? '') : '';
  if (from === to) return [];
  const allowed = ROOMS[from];
  if (allowed === undefined) return breach('unknown-room', `${from} is not a room`);
  if (isStage(from) && isStage(to)) return breach('stage-imports-stage', `${from} imports ${to} (${target})`);
  if (to === 'config' && !MAY_READ_CONFIG.includes(from)) {
    return breach('room-imports-config', `${from} imports ${target}: options arrive resolved`);
  }
  if (from === 'config' && isStage(to)) {
    const isOptions = target === `${to}/options.ts`;
    return isOptions
      ? []
      : breach('config-imports-more', `of ${to} config may import options.ts only, not ${target}`);
  }
  return allowed.includes(to)
    ? []
    : breach('arrow', `${from || 'src'} must not import ${to || 'src'} (${target})`);
}

function libraryBreaches(file: SourceFile, found: SourceImport): Breach[] {
  if (found.specifier.startsWith('node:')) return [];
  const [first = '', second = ''] = found.specifier.split('/');
  const library = first.startsWith('@') ? `${first}/${second}` : first;
  const breach = (rule: string, detail: string): Breach[] => [
    { path: file.path, line: found.line, rule, detail },
  ];
  const home = LIBRARY_HOMES[library];
  if (home === undefined)
    return breach('undeclared-library', `${library} has no home in scripts/checks/boundary-rules.ts`);
  const homes = home === null ? [''] : [home].flat();
  return homes.some((one) => file.path.startsWith(one))
    ? []
    : breach('library-home', `${library} lives in ${homes.join(' and ')}`);
}

function nameBreaches(file: SourceFile): Breach[] {
  const parts = file.path.replace(/(\.d)?\.ts$/, '').split('/');
  const breach = (rule: string, detail: string): Breach => ({ path: file.path, line: 1, rule, detail });
  const name = parts.at(-1) ?? '';
  const room = parts.length > 1 && ROOMS[file.room] === undefined;
  return [
    ...parts
      .filter((part) => EMPTY_NAMES.test(part))
      .map((part) => breach('name', `${part} says nothing about what it does`)),
    ...parts
      .filter((part) => !KEBAB_CASE.test(part))
      .map((part) => breach('name', `${part} is not kebab-case`)),
    ...(name === 'main' && file.room !== 'cli'
      ? [breach('name', 'main is a name for the cli room only')]
      : []),
    ...(room ? [breach('unknown-room', `${file.room} is not a room`)] : []),
  ];
}

/** A file is spoken of by its base name, so it has to be enough. */
function twinBreaches(files: readonly SourceFile[]): Breach[] {
  const byName = Map.groupBy(files, ({ path }) => basename(path, '.ts'));
  return [...byName].flatMap(([name, [first, ...others]]) =>
    first === undefined || NAMES_OF_MANY.includes(name)
      ? []
      : others.map(({ path }) => ({ path, line: 1, rule: 'name', detail: `${name} is also ${first.path}` })),
  );
}

function lengthBreaches(file: SourceFile): Breach[] {
  if (file.lineCount <= MAX_LINES || LENGTH_REASON.test(file.firstLine)) return [];
  const detail = `${file.lineCount} lines: split it, or begin with "// Over ${MAX_LINES} lines: <reason>"`;
  return [{ path: file.path, line: 1, rule: 'length', detail }];
}

function opaqueBreaches(file: SourceFile): Breach[] {
  const detail = 'import() or require() of something that is not a plain string cannot be checked';
  return file.opaqueImports.map((line) => ({ path: file.path, line, rule: 'opaque-import', detail }));
}

function cycleBreaches(files: readonly SourceFile[]): Breach[] {
  return importCycles(files).map((cycle) => {
    const [start = '', next = ''] = cycle;
    const line = files
      .find((file) => file.path === start)
      ?.imports.find((found) => found.target === next)?.line;
    return { path: start, line: line ?? 1, rule: 'cycle', detail: cycle.join(' → ') };
  });
}

function isStage(room: string): boolean {
  return (STAGES as readonly string[]).includes(room);
}
