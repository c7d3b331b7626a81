import type { LoopResult } from './rival-process.ts';
import type { SlipwayResult } from './slipway-run.ts';
import { markdownTable, median, spread } from './table.ts';

/** With every run goes how many processors somebody else's work took meanwhile. */
export type Measured<T> = T & { readonly othersCores: number };

/** Everybody once. */
export interface Round {
  readonly slipway: Measured<SlipwayResult>;
  readonly fetch: Measured<LoopResult>;
  readonly undici: Measured<LoopResult>;
  readonly script: Measured<LoopResult>;
}

export interface ReportFacts {
  readonly files: number;
  readonly bytes: number;
  readonly concurrency: number;
  /** What ran the one-file script. */
  readonly interpreter: string;
  readonly conditions: string;
}

/** The targets of contract §12: what slipway's files/s are at least, as a multiple of this rival's. */
const TARGETS = { fetch: 1.75, undici: 0.6, script: 300 } as const;
const TARGET_CPU_MICROS = 350;

/** Files per second of everybody, round by round. */
export function ratesOf(rounds: readonly Round[], files: number): Record<keyof Round, number[]> {
  const loop = (pick: (round: Round) => LoopResult): number[] =>
    rounds.map((round) => (pick(round).files * 1000) / pick(round).windowMs);
  return {
    slipway: rounds.map(({ slipway }) => (files * 1000) / slipway.windowMs),
    fetch: loop(({ fetch }) => fetch),
    undici: loop(({ undici }) => undici),
    script: loop(({ script }) => script),
  };
}

/** The table and the sentences under it. */
export function throughputReport(facts: ReportFacts, rounds: readonly Round[]): string {
  const { files, bytes, concurrency } = facts;
  const rates = ratesOf(rounds, files);
  const own = median(rates.slipway);
  const each = (pick: (round: Round) => number): number[] => rounds.map(pick);
  const others = (of: keyof Round): string =>
    spread(
      each((round) => round[of].othersCores),
      1,
    );
  const rival = (of: 'fetch' | 'undici' | 'script', title: string): string[] => {
    const ratio = own / median(rates[of]);
    const cpu = each((round) => round[of].totalCpuMicros / files);
    return [
      title,
      spread(rates[of], of === 'script' ? 1 : 0),
      `${ratio.toFixed(of === 'script' ? 0 : 2)}x`,
      `>= ${TARGETS[of]}x`,
      of === 'script' ? '' : spread(cpu),
      of === 'script' ? '' : others(of),
    ];
  };
  const cpu = spread(each(({ slipway }) => slipway.windowCpuMicros / files));
  const rows = [
    ['slipway, folder to manifest, durable', spread(rates.slipway), '', '', cpu, others('slipway')],
    rival('fetch', 'fetch + FormData + openAsBlob loop'),
    rival('undici', 'undici loop, one Buffer per file'),
    rival('script', `one process per file (${facts.interpreter})`),
  ];
  const whole = spread(each(({ slipway }) => slipway.totalCpuMicros / files));
  const wall = spread(
    each(({ slipway }) => slipway.wallMs / 1000),
    2,
  );
  const rss = spread(each(({ slipway }) => Math.max(...Object.values(slipway.peakRssBytes)) / 1e6));
  return [
    `${files} files of ${bytes} bytes, ${concurrency} at once, ${rounds.length} rounds in turns; median (least-most).`,
    `Conditions: ${facts.conditions}.`,
    '',
    markdownTable(['', 'files/s', 'slipway is', 'target', 'CPU us/file', 'cores others used'], rows),
    '',
    `CPU of slipway and its Redis: ${cpu} us per file after start-up (target <= ${TARGET_CPU_MICROS}), ${whole} us with start-up and end (${byProcess(rounds, files)}).`,
    `Whole run of slipway, start-up and end included: ${wall} s; largest process ${rss} MB.`,
  ].join('\n');
}

function byProcess(rounds: readonly Round[], files: number): string {
  const names = new Set(rounds.flatMap(({ slipway }) => Object.keys(slipway.cpuMicrosOf)));
  const of = (name: string): number[] =>
    rounds.map(({ slipway }) => (slipway.cpuMicrosOf[name] ?? 0) / files);
  return [...names].map((name) => `${name} ${median(of(name)).toFixed(0)}`).join(', ');
}
