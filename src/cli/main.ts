import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { buildProgram, UsageProblem } from './program.ts';
import { surviveGoneReaders } from './screen/output.ts';
import { printable } from './screen/terminal.ts';

/** Runs one command line and ends the process with its exit code. */
async function main(): Promise<void> {
  try {
    process.exitCode = await buildProgram().run(process.argv);
  } catch (error) {
    if (error instanceof UsageProblem) {
      process.exitCode = error.exitCode;
    } else if (error instanceof SlipwayError) {
      // Its newlines are ours; a file name's other control characters are not for the terminal.
      process.stderr.write(`slipway: ${error.message.split('\n').map(printable).join('\n')}\n`);
      process.exitCode = exitCodeOf(error);
    } else {
      // A defect of ours. The stack goes to the log of whoever asks for it, never to a user who did nothing wrong.
      process.stderr.write(
        `slipway: unexpected: ${reasonOf(error)} (set SLIPWAY_LOG_LEVEL=debug for the details)\n`,
      );
      if (process.env.SLIPWAY_LOG_LEVEL === 'debug' && error instanceof Error)
        process.stderr.write(`${error.stack}\n`);
      process.exitCode = EXIT.internal;
    }
  }
}

surviveGoneReaders();
await main();
