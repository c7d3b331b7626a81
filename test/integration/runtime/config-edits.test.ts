/** A config is edited while a backlog waits in Redis: what is sent, as its server saw it, and what is recorded. */
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { journalPathOf } from '../../../src/ledger/journal/manifest-journal.ts';
import type { SourcePlan } from '../../../src/runtime/plans/source-plan.ts';
import type { RunFacts } from '../../../src/runtime/run.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { endpointTo, SENDERS } from '../../support/notify-rig.ts';
import { pacedDefinition } from '../../support/paced-api.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { startReceiver } from '../../support/webhook-receiver.ts';

const GIVE_UP_MS = 30_000;
const EVENTS = ['file.uploaded', 'file.failed', 'file.skipped'] as const;
const FILES = 5;
const never = new AbortController().signal;

/** Counts what arrives, by the name in the body: independent of everything that Slipway keeps. */
async function openApi() {
  const bodies: string[] = [];
  const server = await startHttpServer(async (visit) => {
    bodies.push((await visit.body()).toString('latin1'));
    visit.json(200, { id: `file-${bodies.length}` });
  });
  const arrived = (): string[] =>
    bodies.map((body) => /filename="([^"]+)"/.exec(body)?.[1] ?? 'no name').toSorted();
  return { server, bodies, arrived };
}

type Api = Awaited<ReturnType<typeof openApi>>;

function definitionOf({ server }: Api, more: object = {}): DestinationDefinition {
  return pacedDefinition({ server } as Parameters<typeof pacedDefinition>[0], more);
}

interface Edit {
  readonly plan?: (plan: SourcePlan, rig: RunRig) => Partial<SourcePlan>;
  readonly definition?: (api: Api, before: DestinationDefinition) => DestinationDefinition;
  readonly facts?: (rig: RunRig) => Partial<RunFacts>;
  /** Of the files that waited, those that are sent, once each; left out: all. */
  readonly sent?: readonly string[];
  /** Receipts of the files that waited, by status; all are uploaded unless it is said otherwise. */
  readonly receipts?: Readonly<Record<string, number>>;
}

const NAMES = Array.from({ length: FILES }, (_, index) => `${index}.txt`);

/** One file is recorded, five wait in Redis, the config is edited, and the run goes on. */
async function edited(edit: Edit, given?: Api) {
  const api = given ?? (await openApi());
  const before = definitionOf(api);
  const receiver = await startReceiver();
  const rig = await runRig({
    definition: before,
    telling: { endpointsOf: () => [endpointTo(receiver.origin, { events: [...EVENTS] })], senders: SENDERS },
  });
  rig.file('earlier.txt');
  const first = await rig.start();
  expect(await first.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await first.stop(2_000);
  rig.files(FILES);
  const intake = await rig.start({ roles: ['intake'] });
  await vi.waitFor(async () => expect((await intake.report()).sources[0]?.waiting).toBe(FILES), {
    timeout: GIVE_UP_MS,
    interval: 20,
  });
  await intake.stop(2_000);

  const definition = edit.definition?.(api, before) ?? before;
  rig.use(definition);
  const plan = { ...rig.plan(), destination: definition.name, ...edit.plan?.(rig.plan(), rig) };
  const run = await rig.start({ plans: [plan], ...edit.facts?.(rig) });
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await vi.waitFor(() => expect(receiver.told().size).toBe(receiptsOf(plan.manifest).length), {
    timeout: GIVE_UP_MS,
    interval: 20,
  });
  await run.stop(2_000);
  return { api, rig, receipts: receiptsOf(plan.manifest), told: receiver.told };
}

/** Counted where they arrive. */
function expectToldOnce(told: () => ReadonlyMap<string, number>, receipts: readonly Receipt[]): void {
  expect([...told()].toSorted()).toEqual(
    receipts.map(({ id, gen }) => [`${id}-${gen}`, 1] as const).toSorted(),
  );
}

function receiptsOf(manifest: string): Receipt[] {
  const path = journalPathOf(manifest);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Receipt);
}

function countsOf(receipts: readonly Receipt[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { path, status, error } of receipts) {
    if (path === 'earlier.txt') continue;
    const key = error === null ? status : `${status}: ${error.code}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const EDITS: Readonly<Record<string, Edit>> = {
  nothing: {},
  fields: { definition: (api) => definitionOf(api, { fields: { purpose: 'vision' } }) },
  'path, the folder moved': {
    plan({ root }) {
      const moved = join(dirname(root), 'moved');
      renameSync(root, moved);
      return { root: moved };
    },
  },
  include: { plan: () => ({ include: ['**/*.txt'] }) },
  limits: { plan: () => ({ maxBytes: 1_000_000 }) },
  onSuccess: { plan: () => ({ onSuccess: 'delete' }) },
  batch: { plan: () => ({ batch: { by: 'topFolder', quiet: 50 } }) },
  settle: { plan: () => ({ settle: 100, minAge: 0 }) },
  'include, narrowed': {
    plan: () => ({ include: ['**/[0-2].txt', 'earlier.txt'] }),
    sent: ['0.txt', '1.txt', '2.txt'],
    receipts: { uploaded: 3, 'skipped: excluded': 2 },
  },
  'ignore, more of it': {
    plan: () => ({ ignore: ['**/3.*'] }),
    sent: ['0.txt', '1.txt', '2.txt', '4.txt'],
    receipts: { uploaded: 4, 'skipped: excluded': 1 },
  },
  'maxBytes, lowered': {
    plan: () => ({ maxBytes: 5 }),
    sent: [],
    receipts: { 'skipped: too_large': FILES },
  },
  'minBytes, raised': {
    plan: () => ({ minBytes: 1_000 }),
    sent: [],
    receipts: { 'skipped: empty': FILES },
  },
  'limits of the destination, lowered': {
    definition: (api) => definitionOf(api, { limits: { maxBytes: 5 } }),
    sent: [],
    receipts: { 'skipped: too_large': FILES },
  },
};

test.each(Object.entries(EDITS))(
  'edited while a backlog waits: %s. Each file is sent once and recorded once',
  async (_name, edit) => {
    const { api, receipts, told } = await edited(edit);
    expect(api.arrived()).toEqual([...(edit.sent ?? NAMES), 'earlier.txt']);
    expect(countsOf(receipts)).toEqual(edit.receipts ?? { uploaded: FILES });
    expectToldOnce(told, receipts);
  },
);

test('rules that are widened again take what they had left out, once', async () => {
  const narrow: Edit = { plan: () => ({ include: ['earlier.txt'] }), receipts: {} };
  const { api, rig, receipts } = await edited(narrow);
  expect(api.arrived()).toEqual(['earlier.txt']);
  expect(countsOf(receipts)).toEqual({ 'skipped: excluded': FILES });
  const widened = await rig.start();
  expect(await widened.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await widened.stop(2_000);
  expect(api.arrived()).toEqual([...NAMES, 'earlier.txt']);
  expect(countsOf(rig.receipts())).toEqual({ 'skipped: excluded': FILES, uploaded: FILES });
});

test('a destination changed while a backlog waits: the old versions end as such, the new ones are sent and recorded once', async () => {
  const { api, rig, receipts, told } = await edited({
    definition: (_, before) => ({ ...before, name: 'other' }),
  });
  // What had been recorded for the first destination is a new version for the other.
  expect(api.arrived()).toEqual([...NAMES, 'earlier.txt', 'earlier.txt']);
  expect(countsOf(receipts)).toEqual({ uploaded: FILES, 'skipped: changed': FILES });
  expectToldOnce(told, receipts);
  // Each receipt names the destination that its version was for.
  const demo = rig.plan().destination;
  for (const { status, destination } of receipts.filter(({ path }) => path !== 'earlier.txt'))
    expect(destination).toBe(status === 'skipped' ? demo : 'other');
  const uploaded = receipts.filter(({ status }) => status === 'uploaded');
  expect(new Set(uploaded.map(({ id }) => id)).size).toBe(uploaded.length);
  const skipped = new Set(receipts.filter(({ status }) => status === 'skipped').map(({ id }) => id));
  expect(uploaded.some(({ id }) => skipped.has(id))).toBe(false);

  // And back: what the first destination never got goes there, once.
  rig.use(definitionOf(api));
  const back = await rig.start();
  expect(await back.once(GIVE_UP_MS, never)).toEqual(['drained']);
  await back.stop(2_000);
  expect(api.arrived()).toEqual([...NAMES, ...NAMES, 'earlier.txt', 'earlier.txt'].toSorted());
});

test.each<[string, string, Edit]>([
  ['dataDir', 'queue_foreign', { facts: (rig) => ({ dataDir: `${rig.dataDir}-other` }) }],
  [
    'manifest',
    'journal_short',
    { plan: ({ manifest }) => ({ manifest: manifest.replace('inbox', 'elsewhere') }) },
  ],
])('another %s beside what is recorded is refused (%s), and nothing is sent', async (_name, code, edit) => {
  const api = await openApi();
  await expect(edited(edit, api)).rejects.toMatchObject({ code });
  expect(api.arrived()).toEqual(['earlier.txt']);
});

test('files taken away by onSuccess after the edit are gone, the others lie where they were', async () => {
  const { rig } = await edited({ plan: () => ({ onSuccess: 'delete' }) });
  expect(readdirSync(rig.root()).filter((name) => name.endsWith('.txt'))).toEqual(['earlier.txt']);
});
