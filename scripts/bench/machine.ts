import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** The conditions of a run, one line: figures without them say nothing. */
export function machineConditions(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  return [
    `${availableParallelism()} cores (${model})`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${release()}`,
    `node ${process.versions.node}`,
    redisVersion(),
    `load ${(loadavg()[0] ?? 0).toFixed(1)} at start`,
    new Date().toISOString().slice(0, 10),
  ].join(', ');
}

function redisVersion(): string {
  for (const binary of ['redis-server', 'valkey-server']) {
    try {
      const text = execFileSync(binary, ['--version'], { encoding: 'utf8' });
      return `${binary} ${/v=(\S+)/.exec(text)?.[1] ?? 'of unknown version'}`;
    } catch {
      // The other one may be there.
    }
  }
  return 'no redis-server';
}
