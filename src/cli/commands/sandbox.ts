import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { openSandbox } from '../../sandbox/open-sandbox.ts';
import type { FaultPlan } from '../../sandbox/trouble/fault-rule.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { jsonLine } from '../screen/json-line.ts';

interface SandboxFlags {
  readonly tokenPort?: number;
  readonly apiPort?: number;
  readonly faults?: string;
  readonly seed?: number;
  readonly writeEnv?: string;
  readonly json?: boolean;
}

/** `slipway sandbox`: the stand-in peer, until a signal. */
export function addSandboxCommand(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('sandbox')
    .description(
      'local stand-in for the token service and the AutoGLM, VectorX, DashScope and OpenAI file APIs',
    )
    .option('--token-port <port>', 'port of the token service (default: a free one)', port)
    .option('--api-port <port>', 'port of the file APIs (default: a free one)', port)
    .option('--faults <json>', 'faults from the start, as POST /_faults takes them')
    .option('--seed <n>', 'seed of random faults', integer)
    .option('--write-env <file>', 'write the addresses as SLIPWAY_SANDBOX_*=… lines once it listens')
    .option('--json', 'print the addresses as one JSON line')
    .addHelpText(
      'after',
      '\nExample:\n  slipway sandbox --token-port 18432\n  curl -s http://127.0.0.1:PORT/_received | jq .count\n',
    )
    .action(async (flags: SandboxFlags) => {
      done(await runSandbox(flags));
    });
}

async function runSandbox(flags: SandboxFlags): Promise<ExitCode> {
  const sandbox = await openSandbox({
    ports: {
      ...(flags.tokenPort === undefined ? {} : { token: flags.tokenPort }),
      ...(flags.apiPort === undefined ? {} : { api: flags.apiPort }),
    },
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.faults === undefined ? {} : { faults: faultPlan(flags.faults) }),
  });
  const addresses = {
    SLIPWAY_SANDBOX_TOKEN: sandbox.tokenUrl,
    SLIPWAY_SANDBOX_API: sandbox.autoglmUrl,
    SLIPWAY_SANDBOX_VECTORX: sandbox.vectorxUrl,
    SLIPWAY_SANDBOX_DASHSCOPE: sandbox.dashscopeBase,
    SLIPWAY_SANDBOX_OPENAI: sandbox.openaiBase,
    SLIPWAY_SANDBOX_ORIGIN: sandbox.origin,
  };
  if (flags.writeEnv !== undefined) {
    const lines = Object.entries(addresses).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(flags.writeEnv, lines.join(''), { mode: 0o600 });
  }
  process.stdout.write(flags.json === true ? jsonLine(addresses) : `${sandbox.describe()}\n`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await sandbox.close();
  return EXIT.ok;
}

function faultPlan(text: string): FaultPlan {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlipwayError('usage', {
      problem: `--faults: not JSON (${reasonOf(error)}): give a list such as [{"action":"503","times":3}]`,
    });
  }
}

function port(text: string): number {
  const value = integer(text);
  if (value > 65_535) throw new InvalidArgumentError('a port is at most 65535.');
  return value;
}

function integer(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}
