import { EXIT, type ExitCode } from './exit-codes.ts';

interface LadderSteps {
  /** First signal: finish what is in flight, within the budget. Resolves to whether all of it could. */
  drain(): Promise<boolean>;
  /** Second signal: cut that short. */
  cutShort(): void;
  /** For people. */
  say(line: string): void;
}

export interface SignalLadder {
  /** Resolves with the exit code once a signal has ended the work. */
  readonly ended: Promise<ExitCode>;
  /** The exit code that the signal which came first stands for; 0: none came. */
  came(): ExitCode;
  /** Signals mean what they mean to the system again. */
  release(): void;
}

/** Work that a signal ends. */
export interface Stoppable {
  /** Resolves to whether all that was in flight could be finished within the budget. */
  stop(budgetMs: number): Promise<boolean>;
  cutShort(): void;
}

const SIGNALS = { SIGINT: EXIT.sigint, SIGTERM: EXIT.sigterm } as const;

/**
 * G8: the first SIGINT or SIGTERM drains, the second cuts short, the third is the system's. The budget holds even
 * when something hangs.
 * @param budgetMs `shutdown.drain`
 */
function signalLadder(steps: LadderSteps, budgetMs: number): SignalLadder {
  const { promise, resolve } = Promise.withResolvers<ExitCode>();
  let received = 0;
  let came: ExitCode = EXIT.ok;

  const onSignal = (signal: NodeJS.Signals): void => {
    const cutCode = signal === 'SIGTERM' ? SIGNALS.SIGTERM : SIGNALS.SIGINT;
    received += 1;
    if (received === 1) {
      came = cutCode;
      steps.say(
        `${signal}: finishing what is in flight (at most ${Math.round(budgetMs / 1000)} s; again to cut it short)`,
      );
      // Whatever hangs, the process is gone in time; what was not recorded is done at the next start.
      setTimeout(() => process.exit(cutCode), budgetMs).unref();
      steps.drain().then(
        (complete) => resolve(complete ? EXIT.ok : cutCode),
        () => resolve(cutCode),
      );
      return;
    }
    steps.say(`${signal}: cutting it short (once more ends it at once)`);
    steps.cutShort();
    release();
  };

  function release(): void {
    for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal);
  }

  for (const signal of Object.keys(SIGNALS)) process.on(signal, onSignal);
  return { ended: promise, came: () => came, release };
}

/** The ladder of work from before its start is over: a signal then must not leave a private Redis behind. */
export function ladderOf(
  starting: Promise<Stoppable>,
  budgetMs: number,
  say: LadderSteps['say'],
): SignalLadder {
  return signalLadder(
    {
      drain: async () => await (await starting).stop(budgetMs),
      cutShort: () => void starting.then(({ cutShort }) => cutShort()).catch(() => undefined),
      say,
    },
    budgetMs,
  );
}
