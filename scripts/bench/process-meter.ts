import { readdirSync, readFileSync } from 'node:fs';

/** What a set of processes has used so far. */
export interface Usage {
  /** Microseconds of processor time, user and system; ticks of 10 ms each. */
  readonly cpuMicros: number;
  /** The same, apart: by the name of the process. */
  readonly cpuMicrosOf: Readonly<Record<string, number>>;
  /** The most any single one of them held in memory, by that name. */
  readonly peakRssBytes: Readonly<Record<string, number>>;
}

export interface Sample extends Usage {
  /** Epoch milliseconds with fractions. */
  readonly atMs: number;
}

const TICK_MICROS = 10_000;
const SAMPLE_MS = 20;
const LOOK_FOR_NEW_MS = 200;

/**
 * Samples a process and every other whose command line names `marker` (the private Redis stands apart from the process
 * that starts it) until stopped. Linux only: it reads /proc.
 */
export function meterProcesses(pid: number, marker: string): { stop(): readonly Sample[] } {
  const samples: Sample[] = [];
  const known = new Map<number, { name: string; cpuMicros: number; peakRssBytes: number }>();
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  function sample(): void {
    const now = performance.now();
    if (now - lookedAtMs > LOOK_FOR_NEW_MS) {
      lookedAtMs = now;
      for (const found of [pid, ...pidsNaming(marker)]) {
        if (!known.has(found)) known.set(found, { name: nameOf(found), cpuMicros: 0, peakRssBytes: 0 });
      }
    }
    for (const [id, process] of known) {
      process.cpuMicros = readCpuMicros(id) ?? process.cpuMicros;
      process.peakRssBytes = readPeakRss(id) ?? process.peakRssBytes;
    }
    const peakRssBytes: Record<string, number> = {};
    const cpuMicrosOf: Record<string, number> = {};
    let cpuMicros = 0;
    for (const process of known.values()) {
      cpuMicros += process.cpuMicros;
      cpuMicrosOf[process.name] = (cpuMicrosOf[process.name] ?? 0) + process.cpuMicros;
      peakRssBytes[process.name] = Math.max(peakRssBytes[process.name] ?? 0, process.peakRssBytes);
    }
    samples.push({ atMs: performance.timeOrigin + now, cpuMicros, cpuMicrosOf, peakRssBytes });
  }

  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      return samples;
    },
  };
}

/** Processor time between two moments. */
export function cpuBetween(samples: readonly Sample[], fromMs: number, toMs: number): number {
  const before = samples.findLast(({ atMs }) => atMs <= fromMs)?.cpuMicros ?? 0;
  const after = (samples.find(({ atMs }) => atMs >= toMs) ?? samples.at(-1))?.cpuMicros ?? 0;
  return after - before;
}

function pidsNaming(marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => read(`/proc/${name}/cmdline`)?.includes(marker))
    .map(Number);
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`)?.trim() ?? 'gone';
}

function readCpuMicros(pid: number): number | null {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the name in parentheses and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

function readPeakRss(pid: number): number | null {
  const match = /^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '');
  return match === null ? null : Number(match[1]) * 1024;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}
