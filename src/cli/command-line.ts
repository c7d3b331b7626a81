import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { runProgram, UsageProblem } from './program.ts';
import { printable } from './screen/terminal.ts';

/** Runs one command line to its end; what went wrong is said on stderr. @returns the exit code of contract §7 */
export async function runCommandLine(argv: readonly string[]): Promise<ExitCode> {
  try {
    return await runProgram(argv);
  } catch (error) {
    if (error instanceof UsageProblem) return error.exitCode;
    if (error instanceof SlipwayError) {
      if (exitCodeOf(error) === EXIT.usage) await takeBackNames();
      // Its newlines are ours; a file name's other control characters are not for the terminal.
      process.stderr.write(`slipway: ${error.message.split('\n').map(printable).join('\n')}\n`);
      return exitCodeOf(error);
    }
    // A defect of ours. The stack goes to the log of whoever asks for it, never to a user who did nothing wrong.
    process.stderr.write(
      `slipway: unexpected: ${reasonOf(error)} (set SLIPWAY_LOG_LEVEL=debug for the details)\n`,
    );
    if (process.env.SLIPWAY_LOG_LEVEL === 'debug' && error instanceof Error)
      process.stderr.write(`${error.stack}\n`);
    return EXIT.internal;
  }
}

/** A command that was refused leaves no source behind. */
async function takeBackNames(): Promise<void> {
  const { forgetNewSources } = await import('../runtime/plans/source-plans.ts');
  await forgetNewSources();
}
