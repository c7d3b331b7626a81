import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const TICK_MICROS = 10_000;

/**
 * What everything else on this machine took of its processors while something of ours ran. A figure that was measured
 * beside somebody else's work says little: with every run goes how much of that there was.
 */
export function watchMachine(): { othersCores(ownMicros: number): number } {
  const began = { busy: busyMicros(), atMs: performance.now() };
  return {
    /** @param ownMicros processor time of all processes that belong to the run */
    othersCores(ownMicros) {
      const busy = busyMicros() - began.busy - ownMicros;
      const micros = (performance.now() - began.atMs) * 1000;
      return Math.max(0, Math.min(availableParallelism(), busy / micros));
    },
  };
}

/** Processor time of the whole machine, idle and waiting for disks left out. */
function busyMicros(): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) * TICK_MICROS;
}
