import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { openRoutes } from '../../gateway/open-routes.ts';
import { type Gateway, startGateway } from '../../gateway/start-gateway.ts';
import { acknowledgeDirect } from '../../operations/control/acknowledgements.ts';
import { notifyOptions } from '../../runtime/compose.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import type { ExitCode } from '../exit-codes.ts';
import { integerFlag } from '../flags.ts';
import { jsonLine } from '../screen/json-line.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';
import { ladderOf } from '../signal-ladder.ts';
import { confirmPublic } from '../work/confirm-public.ts';
import { addDestinationOptions, type DestinationFlags, wordsOf } from '../work/destination-flags.ts';
import { configuredDestinations, withSandbox } from '../work/trial-sandbox.ts';

interface GatewayFlags extends SharedFlags, DestinationFlags {
  readonly host?: string;
  readonly port?: number;
  readonly to?: string;
  readonly yes?: boolean;
}

/** `slipway gateway`: any destination behind the APIs that people already call, until a signal. */
export function addGatewayCommand(program: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(program.command('gateway'))
    .description(
      'HTTP door: uploads in the shape of OpenAI, VectorX or AutoGLM, whatever the destination speaks',
    )
    .option('--host <address>', 'address to listen on (default 127.0.0.1)')
    .option('--port <port>', 'port to listen on (default 8787; 0: a free one)', portFlag)
    .option('--to <destination>', 'a configured destination or a preset, at /')
    .option('-y, --yes', 'I know that a public destination makes the files readable by anyone')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway gateway --to dashscope\n  curl -F file=@report.pdf http://127.0.0.1:8787/v1/files\n  OPENAI_BASE_URL=http://127.0.0.1:8787/v1 python your_openai_program.py\n',
    )
    .action(async (flags: GatewayFlags) => {
      done(await runGateway(flags));
    });
}

async function runGateway(flags: GatewayFlags): Promise<ExitCode> {
  const words = wordsOf(flags);
  const opened = await openSession(flags, false);
  const meant = [flags.to, ...configuredDestinations(opened)];
  return await withSandbox(opened, meant, (session) => openDoor(withWords(session, flags.to, words), flags));
}

async function openDoor(session: Session, flags: GatewayFlags): Promise<ExitCode> {
  const { config, env, baseDir, log } = session;
  const opened = openRoutes(session, { to: flags.to, log });
  const say = (line: string): void => log.info({}, line);
  async function open(): Promise<Gateway> {
    // G9: settled before anybody can send anything.
    for (const destination of opened.destinations) {
      await acknowledgeDirect(destination, {
        files: 0,
        bytes: 0,
        dataDir: config.dataDir,
        confirm: (question) => confirmPublic(question, flags.yes === true),
      });
    }
    return await startGateway({
      config,
      options: { host: flags.host ?? config.gateway.host, port: flags.port ?? config.gateway.port },
      routes: opened.routes,
      later: opened,
      telling: notifyOptions(session),
      env,
      placed: (path) => resolve(baseDir, path),
      log,
    });
  }
  const opening = open();
  const ladder = ladderOf(opening, config.shutdown.drain, say);
  try {
    const gateway = await opening;
    process.stdout.write(jsonLine({ url: gateway.url }));
    return await ladder.ended;
  } finally {
    ladder.release();
    await opened.close();
  }
}

function portFlag(text: string): number {
  const port = integerFlag(text);
  if (port > 65_535) throw new InvalidArgumentError('a port is at most 65535.');
  return port;
}
