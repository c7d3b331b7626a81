/** Which file describes which command: the one that is asked for is all that a process loads. */
import type { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';

/** Adds one command, or a few that belong together; their actions tell the exit code to `done`. */
export type AddCommand = (program: Command, done: (code: ExitCode) => void) => void;

interface CommandFile {
  /** What a command line calls them, aliases included. */
  readonly names: readonly string[];
  load(): Promise<AddCommand>;
}

/** In the order in which `slipway --help` lists them. */
export const COMMAND_FILES: readonly CommandFile[] = [
  { names: ['init'], load: async () => (await import('./commands/init-command.ts')).addInitCommand },
  {
    names: ['run', 'watch', 'intake', 'worker'],
    load: async () => (await import('./commands/run-command.ts')).addRunCommands,
  },
  { names: ['ingest'], load: async () => (await import('./commands/ingest-command.ts')).addIngestCommand },
  { names: ['upload'], load: async () => (await import('./commands/upload.ts')).addUploadCommand },
  { names: ['gateway'], load: async () => (await import('./commands/gateway-command.ts')).addGatewayCommand },
  { names: ['status'], load: async () => (await import('./commands/status-command.ts')).addStatusCommand },
  { names: ['lookup'], load: async () => (await import('./commands/lookup-command.ts')).addLookupCommand },
  { names: ['trace'], load: async () => (await import('./commands/trace-command.ts')).addTraceCommand },
  { names: ['failed'], load: async () => (await import('./commands/failed.ts')).addFailedCommand },
  { names: ['resend'], load: async () => (await import('./commands/resend-command.ts')).addResendCommand },
  { names: ['pause', 'resume'], load: async () => (await import('./commands/pause.ts')).addPauseCommands },
  { names: ['manifest'], load: async () => (await import('./commands/manifest.ts')).addManifestCommand },
  { names: ['webhooks'], load: async () => (await import('./commands/webhooks.ts')).addWebhooksCommand },
  {
    names: ['destinations'],
    load: async () => (await import('./commands/destinations.ts')).addDestinationsCommand,
  },
  { names: ['doctor'], load: async () => (await import('./commands/doctor-command.ts')).addDoctorCommand },
  { names: ['config'], load: async () => (await import('./commands/config.ts')).addConfigCommand },
  {
    names: ['completion'],
    load: async () => (await import('./commands/completion.ts')).addCompletionCommand,
  },
  { names: ['sandbox'], load: async () => (await import('./commands/sandbox.ts')).addSandboxCommand },
];

const VERSION: readonly (string | undefined)[] = ['--version', '-V'];

/**
 * What a command line needs described. Help for all, and a name that nobody knows, are about every command.
 * @param asked the first argument
 */
export async function commandsFor(asked: string | undefined): Promise<readonly AddCommand[]> {
  if (VERSION.includes(asked)) return [];
  const meant = COMMAND_FILES.filter(({ names }) => asked !== undefined && names.includes(asked));
  const files = meant.length > 0 ? meant : COMMAND_FILES;
  // One after another: libraries that several of them import are read once.
  const found: AddCommand[] = [];
  for (const { load } of files) found.push(await load());
  return found;
}
