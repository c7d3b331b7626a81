/** Preloaded into a process that is to be tried: SIGUSR2 keeps its event loop busy for BENCH_BLOCK_MS. */
process.on('SIGUSR2', () => {
  const untilMs = performance.now() + Number(process.env.BENCH_BLOCK_MS ?? 5_000);
  while (performance.now() < untilMs);
});
