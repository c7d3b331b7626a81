import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineConditions } from './machine.ts';
import { type PacedResult, type PacedTask, runPaced } from './paced-run.ts';
import { NO_LIMITS } from './paced-server.ts';
import { markdownTable } from './table.ts';

export interface PacingOptions {
  readonly command: string;
  /** Scenarios to run; none: all. */
  readonly only: readonly string[];
  /** Divides the numbers of files, for a quick look. */
  readonly shrink: number;
}

interface Row {
  readonly scenario: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

type Run = (task: Omit<PacedTask, 'command' | 'scratch'>) => Promise<PacedResult>;
type Scenario = (run: Run, shrink: number) => Promise<Row[]>;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function rejectedShare({ server: { requests } }: PacedResult): number {
  return requests.filter(({ status }) => status !== 200).length / requests.length;
}

/** How much longer than ideal, and the share that was refused. */
function timed(
  scenario: string,
  result: PacedResult,
  idealMs: number,
  most: { readonly ratio: number; readonly rejected: number },
): Row {
  const ratio = result.tookMs / idealMs;
  const rejected = rejectedShare(result);
  return {
    scenario,
    measured: `${seconds(result.tookMs)}, ${ratio.toFixed(2)}× of ideal, ${percent(rejected)} rejected, ${result.failed} failed`,
    target: `≤ ${most.ratio}×, ≤ ${percent(most.rejected)} rejected`,
    met: ratio <= most.ratio && rejected <= most.rejected && result.failed === 0,
  };
}

/** The most accepted in any sliding second. */
function mostInASecond({ server: { requests } }: PacedResult): number {
  const moments = requests.map(({ atMs }) => atMs).sort((a, b) => a - b);
  let first = 0;
  let most = 0;
  for (const [last, atMs] of moments.entries()) {
    while (atMs - (moments[first] ?? atMs) >= 1_000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  async quota(run, shrink) {
    const files = Math.round(300 / shrink);
    const limits = { ...NO_LIMITS, quotaPerSecond: 20, serviceMs: 300 };
    const result = await run({ files, limits, destination: { rate: { perSecond: 20 } } });
    return [timed(`quota of 20/s known, ${files} files`, result, files * 50, { ratio: 1.1, rejected: 0.01 })];
  },

  async knee(run, shrink) {
    const files = Math.round(2_000 / shrink);
    const limits = { ...NO_LIMITS, knee: 16, rejectAbove: 48, serviceMs: 200 };
    const result = await run({ files, limits });
    const idealMs = (files * 200) / 16;
    return [
      timed(`16 hands, 503 above 48, ${files} files`, result, idealMs, { ratio: 1.25, rejected: 0.03 }),
    ];
  },

  async outage(run, shrink) {
    const files = Math.round(2_000 / shrink);
    const outage = { afterFiles: files / 2, ms: 60_000 };
    const result = await run({ files, limits: { ...NO_LIMITS, knee: 16, serviceMs: 200, outage } });
    return outageRows(result, files);
  },

  async unknown(run, shrink) {
    const rows: Row[] = [];
    for (const quotaPerSecond of [1, 5, 10]) {
      const files = Math.round((quotaPerSecond * 120) / shrink);
      const result = await run({ files, limits: { ...NO_LIMITS, quotaPerSecond, serviceMs: 100 } });
      const idealMs = (files / quotaPerSecond) * 1_000;
      const scenario = `quota of ${quotaPerSecond}/s unknown, ${files} files`;
      rows.push(timed(scenario, result, idealMs, { ratio: 1 / 0.85, rejected: 0.15 }));
    }
    return rows;
  },

  async minute(run, shrink) {
    const files = Math.max(6, Math.round(30 / shrink));
    const limits = { ...NO_LIMITS, quotaPerSecond: 3 / 60, windowMs: 60_000, serviceMs: 100 };
    const result = await run({ files, limits });
    // The first three at once, and so with every minute.
    const idealMs = Math.ceil(files / 3 - 1) * 60_000;
    const scenario = `quota of 3/min unknown, ${files} files`;
    return [timed(scenario, result, idealMs, { ratio: 1 / 0.85, rejected: 0.1 })];
  },

  async manners(run, shrink) {
    const rows: Row[] = [];
    const files = Math.round(600 / shrink);
    for (const [how, status, retryAfterS] of [
      ['503 with a page, as nginx’s limit_req', 503, null],
      ['503 with Retry-After: 1', 503, 1],
      ['429 with Retry-After: 1', 429, 1],
    ] as const) {
      const limits = {
        ...NO_LIMITS,
        quotaPerSecond: 5,
        serviceMs: 100,
        refusedWith: { status, retryAfterS },
      };
      const scenario = `quota of 5/s unknown, ${how}, ${files} files`;
      rows.push(
        timed(scenario, await run({ files, limits }), files * 200, { ratio: 1 / 0.85, rejected: 0.15 }),
      );
    }
    return rows;
  },

  async raised(run, shrink) {
    const raisedAfterMs = Math.round(60_000 / shrink);
    const files = Math.round((5 * 60 + 50 * 75) / shrink);
    const limits = { ...NO_LIMITS, quotaPerSecond: 5, raisedAfterMs, serviceMs: 100 };
    const { server, failed } = await run({ files, limits });
    const raisedAtMs = (server.requests[0]?.atMs ?? 0) + raisedAfterMs;
    const within = (fromMs: number): number =>
      server.acceptedAtMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + 5_000).length;
    const reached = Array.from({ length: 24 }, (_, step) => raisedAtMs + step * 5_000).find(
      (fromMs) => within(fromMs) >= 0.85 * 250,
    );
    const afterMs = reached === undefined ? Number.NaN : reached - raisedAtMs;
    return [
      {
        scenario: 'an unknown 5/s is raised to 50/s',
        measured: `85 % of it after ${seconds(afterMs)}, ${failed} failed`,
        target: '≤ 60 s, 0 failed',
        met: afterMs <= 60_000 && failed === 0,
      },
    ];
  },

  async dresses(run, shrink) {
    const rows: Row[] = [];
    const files = Math.round(500 / shrink);
    for (const dress of ['503', 'refused', 'login page', '403 page', 'gzip garbage'] as const) {
      const outage = { afterFiles: files / 2, ms: 60_000, dress };
      const result = await run({
        files,
        limits: { ...NO_LIMITS, serviceMs: 100, outage },
        destination: { concurrency: { initial: 8, max: 8, adaptive: false } },
      });
      rows.push(dressRow(result, dress, files));
    }
    return rows;
  },

  async failing(run, shrink) {
    const files = Math.round(2_000 / shrink);
    const result = await run({ files, limits: { ...NO_LIMITS, serviceMs: 20, failing: 0.2 } });
    const attempts = result.server.requests.length / files;
    return [
      {
        scenario: `20 % random 500s, ${files} files`,
        measured: `${result.failed} failed, ${attempts.toFixed(2)} requests a file, ${result.attempts.most} at most`,
        target: '0 failed, ≤ 1.4',
        met: result.failed === 0 && attempts <= 1.4 && result.uploaded === files,
      },
    ];
  },

  async shared(run, shrink) {
    const files = Math.round(300 / shrink);
    const limits = { ...NO_LIMITS, quotaPerSecond: 20, serviceMs: 100 };
    const result = await run({
      files,
      limits,
      destination: { rate: { perSecond: 20 } },
      config: { worker: { processes: 2 } },
    });
    const most = mostInASecond(result);
    return [
      timed(`two processes, quota of 20/s, ${files} files`, result, files * 50, {
        ratio: 1.1,
        rejected: 0.01,
      }),
      {
        scenario: '… requests in the fullest second',
        measured: `${most}`,
        target: '≤ 21',
        met: most <= 21,
      },
    ];
  },

  async poison(run, shrink) {
    const files = Math.round(1_000 / shrink);
    const limits = { ...NO_LIMITS, knee: 16, serviceMs: 200 };
    const healthy = await run({ files, limits, until: files });
    const poison = 'document-000100.bin';
    const sick = await run({ files, limits: { ...limits, poison }, until: files - 1 });
    const cost = sick.tookMs / healthy.tookMs - 1;
    return [
      {
        scenario: `one file of ${files} always 500`,
        measured: `the others ${seconds(healthy.tookMs)} → ${seconds(sick.tookMs)} (${percent(cost)})`,
        target: '≤ 3.0 %',
        met: cost <= 0.03,
      },
    ];
  },
};

function dressRow({ server, failed, uploaded }: PacedResult, dress: string, files: number): Row {
  const { fromMs, untilMs } = server.outage() ?? { fromMs: 0, untilMs: 0 };
  const into = server.requests.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).length;
  const backMs = (server.acceptedAtMs.at(-1) ?? Number.NaN) - untilMs;
  return {
    scenario: `60 s outage as ${dress} amid ${files} files, 8 at once`,
    measured: `${failed} failed, ${into} requests into it, all up ${seconds(backMs)} after it`,
    target: '0 failed, ≤ 40, ≤ 15 s',
    met: failed === 0 && into <= 40 && backMs <= 15_000 && uploaded === files,
  };
}

function outageRows(result: PacedResult, files: number): Row[] {
  const { requests } = result.server;
  const outage = result.server.outage() ?? { fromMs: 0, untilMs: 0 };
  const openedAtMs = result.openedAtMs ?? Number.POSITIVE_INFINITY;
  const into = requests.filter(({ atMs, status }) => status === 503 && atMs > openedAtMs).length;
  const before = requests.filter(({ atMs }) => atMs < outage.fromMs && atMs > outage.fromMs - 5_000);
  const after = requests.filter(({ atMs }) => atMs >= outage.untilMs && atMs < outage.untilMs + 5_000);
  const most = (some: typeof requests): number => Math.max(0, ...some.map(({ inFlight }) => inFlight));
  const backMs =
    (after.find(({ inFlight }) => inFlight >= most(before) * 0.9)?.atMs ?? Number.NaN) - outage.untilMs;
  return [
    {
      scenario: `60 s outage amid ${files} files`,
      measured: `${result.failed} failed, ${into} requests into it once the circuit was open (${seconds(openedAtMs - outage.fromMs)} after its begin)`,
      target: '0 failed, ≤ 40',
      met: result.failed === 0 && into <= 40 && result.uploaded === files,
    },
    {
      scenario: '… in flight before → within 5 s of its end',
      measured: `${most(before)} → ${most(after)}, nine tenths of it after ${seconds(backMs)}`,
      target: 'the same within 5 s',
      met: backMs <= 5_000,
    },
  ];
}

/** Issue 6's claims against real servers; times from the first request. */
export async function benchPacing({ command, only, shrink }: PacingOptions): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const conditions = machineConditions();
  const rows: Row[] = [];
  try {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      if (only.length > 0 && !only.includes(name)) continue;
      const found = await scenario((task) => runPaced({ ...task, command, scratch }), shrink);
      for (const row of found)
        process.stderr.write(`${row.met ? 'met' : 'NOT MET'}: ${row.scenario}: ${row.measured}\n`);
      rows.push(...found);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const cells = rows.map(({ scenario, measured, target, met }) => [
    scenario,
    measured,
    target,
    met ? 'yes' : 'no',
  ]);
  return [conditions, '', markdownTable(['', 'measured', 'target', 'met'], cells)].join('\n');
}
