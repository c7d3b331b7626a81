import { runCommandLine } from './command-line.ts';
import { surviveGoneReaders } from './screen/output.ts';

surviveGoneReaders();
process.exitCode = await runCommandLine(process.argv);
