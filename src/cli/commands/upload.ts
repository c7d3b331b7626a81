import { type Command, Option } from 'commander';
import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { FileMeta } from '../../domain/file-meta.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { acknowledgeDirect } from '../../operations/control/acknowledgements.ts';
import {
  type DirectFile,
  type DirectResult,
  type DirectUploader,
  directUploader,
} from '../../operations/upload/direct-upload.ts';
import { openHttpClient } from '../../platform/http/http-client.ts';
import { formatBytes, formatDuration } from '../../platform/units.ts';
import { httpOptions } from '../../runtime/compose.ts';
import { chooseDestination, openChosen } from '../../runtime/plans/destination-choice.ts';
import { withWords } from '../../runtime/plans/said-destination.ts';
import { EXIT, type ExitCode, exitCodeOfKind, worstExit } from '../exit-codes.ts';
import { durationFlag } from '../flags.ts';
import { formProblem, missingForm, PRINT_FORMS, type PrintForm, printed } from '../screen/print-forms.ts';
import { logScreen, terminalScreen } from '../screen/run-screen.ts';
import { printable } from '../screen/terminal.ts';
import { openSession, type Session, type SharedFlags } from '../session.ts';
import { confirmPublic } from '../work/confirm-public.ts';
import { addDestinationOptions, type DestinationFlags, wordsOf } from '../work/destination-flags.ts';
import { filesToUpload, nameOfStdin } from '../work/files-to-upload.ts';
import { addMetaOption, type MetaFlags, metaOfFlags } from '../work/meta-flags.ts';
import { withSandbox } from '../work/trial-sandbox.ts';

interface UploadFlags extends SharedFlags, Pick<MetaFlags, 'meta'>, DestinationFlags {
  readonly to?: string;
  readonly print?: PrintForm;
  readonly raw?: boolean;
  readonly json?: boolean;
  readonly filename?: string;
  /** Milliseconds. */
  readonly giveUp?: number;
  readonly yes?: boolean;
}

/** A person, or a script, waits: a limit that asks for longer is better told than sat out. */
const GIVE_UP_MS = 10 * 60_000;

/** `slipway upload`: direct, no queue, no Redis. */
export function addUploadCommand(program: Command, done: (code: ExitCode) => void): void {
  addDestinationOptions(addMetaOption(program.command('upload')))
    .description(
      'upload files now, without queue or Redis; one receipt (JSON line) per file, in the order named',
    )
    .argument('<file...>', 'files; - is the content of standard input')
    .option('--to <destination>', 'a configured destination or a preset')
    .addOption(
      new Option('--print <form>', 'what to print of each file (default receipt)').choices(PRINT_FORMS),
    )
    .option('--raw', "same as --print raw: the API's own JSON, indented by two spaces")
    .option('--json', 'same as --print receipt')
    .option('--filename <name>', 'what - is called at the destination', 'stdin')
    .option(
      '--give-up <duration>',
      'exit 5 when nothing has succeeded for this long (default 10m)',
      durationFlag,
    )
    .option('-y, --yes', 'I know that a public destination makes the files readable by anyone')
    .addHelpText(
      'after',
      '\nExamples:\n  slipway upload report.pdf --to dashscope --print ref\n  slipway upload *.png --to autoglm --yes --print url\n  cat notes.md | slipway upload - --filename notes.md --to openai\n',
    )
    .action(async (names: string[], flags: UploadFlags) => {
      done(await upload(names, flags));
    });
}

async function upload(names: readonly string[], flags: UploadFlags): Promise<ExitCode> {
  const form = printForm(flags);
  const meta = metaOfFlags(flags);
  const stdinName = nameOfStdin(flags.filename ?? 'stdin');
  const words = wordsOf(flags);
  const opened = await openSession(flags, false);
  return await withSandbox(opened, [flags.to], (session) =>
    uploadIn(withWords(session, flags.to, words), names, flags, { form, meta, stdinName }),
  );
}

async function uploadIn(
  session: Session,
  names: readonly string[],
  flags: UploadFlags,
  {
    form,
    meta,
    stdinName,
  }: { readonly form: PrintForm; readonly meta: FileMeta | null; readonly stdinName: string },
): Promise<ExitCode> {
  const definition = chooseDestination(session.config, flags.to, session.baseDir);
  const problem = formProblem(definition, form);
  if (problem !== null) throw new SlipwayError('usage', { problem });
  const stop = new AbortController();
  let cutBy: ExitCode | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    cutBy = signal === 'SIGTERM' ? EXIT.sigterm : EXIT.sigint;
    stop.abort();
    release();
  };
  const release = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, onSignal);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, onSignal);
  try {
    // Standard input may take long: a Ctrl-C meanwhile must not leave what was kept of it.
    const { files, cleanUp } = await filesToUpload(names, stdinName, stop.signal);
    try {
      return await send(files, {
        ...{ session, definition, form, meta, yes: flags.yes === true, signal: stop.signal },
        giveUpMs: flags.giveUp ?? GIVE_UP_MS,
      });
    } finally {
      await cleanUp();
    }
  } catch (error) {
    if (cutBy === null) throw error;
    return cutBy;
  } finally {
    release();
  }
}

async function send(
  files: readonly DirectFile[],
  options: {
    readonly session: Session;
    readonly definition: DestinationDefinition;
    readonly form: PrintForm;
    readonly meta: FileMeta | null;
    /** What a public destination means has been acknowledged. */
    readonly yes: boolean;
    /** It ends when nothing has succeeded for so long. */
    readonly giveUpMs: number;
    readonly signal: AbortSignal;
  },
): Promise<ExitCode> {
  const { session, definition, signal } = options;
  const { config, env } = session;
  const concurrency = definition.concurrency ?? config.worker.concurrency;
  const http = openHttpClient(httpOptions(session, concurrency.max));
  const screen = process.stderr.isTTY ? terminalScreen(process.stderr, process.env) : logScreen(session.log);
  const destination = openChosen(definition, { http, env, log: screen.log });
  const uploader = directUploader({
    destination,
    concurrency,
    retry: config.retry,
    meta: options.meta,
    giveUpMs: options.giveUpMs,
    send: http.send,
    log: screen.log,
  });
  try {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    await acknowledgeDirect(destination, {
      files: files.length,
      bytes,
      dataDir: config.dataDir,
      confirm: (question) => confirmPublic(question, options.yes),
    });
    screen.showWaits(() => waitText(uploader));
    const codes: ExitCode[] = [];
    for await (const result of inOrder(files, concurrency.max, (file) => uploader.upload(file, signal))) {
      codes.push(show(result, options.form));
    }
    return worstExit(codes);
  } finally {
    screen.end();
    await uploader.close();
    await http.close();
  }
}

/** What a person who wonders whether it still runs reads. */
function waitText(uploader: DirectUploader): string | null {
  const wait = uploader.waiting();
  if (wait === null) return null;
  const leftMs = Math.ceil(Math.max(0, wait.untilMs - Date.now()) / 1_000) * 1_000;
  return `waiting ${formatDuration(leftMs)} more: ${wait.message}`;
}

function printForm(flags: UploadFlags): PrintForm {
  const forms: ReadonlySet<PrintForm> = new Set([
    ...(flags.raw === true ? (['raw'] as const) : []),
    ...(flags.json === true ? (['receipt'] as const) : []),
    ...(flags.print === undefined ? [] : [flags.print]),
  ]);
  const [form = 'receipt', ...others] = forms;
  if (others.length > 0) {
    throw new SlipwayError('usage', {
      problem: '--print, --raw and --json contradict each other: give one of them',
    });
  }
  return form;
}

/** Prints one result and says what it means for the exit code. */
function show({ receipt, stopped, answer }: DirectResult, form: PrintForm): ExitCode {
  const text = printed(receipt, form, answer);
  if (text !== null) process.stdout.write(`${text}\n`);
  const missing = missingForm(receipt, form);
  if (missing !== null) process.stderr.write(`slipway: ${printable(missing)}\n`);
  if (receipt.status === 'uploaded') return missing === null ? EXIT.ok : EXIT.usage;
  process.stderr.write(`slipway: ${printable(describe(receipt))}\n`);
  if (stopped) return EXIT.stopped;
  return exitCodeOfKind(receipt.error?.kind ?? 'internal');
}

function describe({ path, status, bytes, error }: Receipt): string {
  return `${path} (${formatBytes(bytes)}) ${status}: ${error?.message ?? 'no reason given'}`;
}

/** Works ahead by `ahead` files and yields in the order of the input; memory stays bounded however many there are. */
async function* inOrder(
  files: readonly DirectFile[],
  ahead: number,
  work: (file: DirectFile) => Promise<DirectResult>,
): AsyncGenerator<DirectResult> {
  const started: Promise<DirectResult>[] = [];
  for (const file of files) {
    const result = work(file);
    // A failure is thrown when its turn comes; until then it is nobody's unhandled rejection.
    result.catch(() => undefined);
    started.push(result);
    const first = started.length >= ahead ? started.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const result of started) yield await result;
}
