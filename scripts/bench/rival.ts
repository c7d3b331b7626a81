/** What a bare loop is told on its command line, and what it says when it is done. */
export interface RivalTask {
  readonly folder: string;
  readonly uploadUrl: string;
  readonly concurrency: number;
}

export interface RivalResult {
  readonly files: number;
  /** Epoch milliseconds with fractions: when the last answer had been read. */
  readonly endedAtMs: number;
  /** Microseconds of processor time, the whole process. */
  readonly cpuMicros: number;
}

/** Sends every name with so many at once; the first failure ends it. Nothing is recorded, nothing is retried. */
export async function sendAll(
  names: readonly string[],
  concurrency: number,
  sendOne: (name: string) => Promise<void>,
): Promise<RivalResult> {
  let next = 0;
  async function worker(): Promise<void> {
    for (let name = names[next++]; name !== undefined; name = names[next++]) await sendOne(name);
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  const { user, system } = process.cpuUsage();
  const endedAtMs = performance.timeOrigin + performance.now();
  return { files: names.length, endedAtMs, cpuMicros: user + system };
}

/** The success test of the API. */
export function assertAccepted(answer: unknown): void {
  const { code, data } = answer as { code?: unknown; data?: { oss_info?: { oss_url?: string }[] } };
  if (code !== 0 || !data?.oss_info?.[0]?.oss_url) throw new Error(`refused: ${JSON.stringify(answer)}`);
}
