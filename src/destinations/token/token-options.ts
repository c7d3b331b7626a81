import { z } from 'zod';
import { duration } from '../../platform/option-types.ts';

/** A token command or service that takes longer than this is taken for hung. */
const DEFAULT_TIMEOUT = '10s';

const timeout = duration(DEFAULT_TIMEOUT, { minMs: 1 }).describe(
  'Longest wait for one reading; past it the jobs wait and the reading is tried again.',
);

const url = z
  .strictObject({
    url: z
      .string()
      .refine(isHttpUrl, 'must be an http:// or https:// URL without user name and password')
      .describe('Address that answers a GET with the token, as text or JSON. Never a refresh endpoint.'),
    timeout,
  })
  .describe('A token service, read again before the token expires and after a refusal.');

const env = z
  .strictObject({
    env: z
      .string()
      .min(1)
      .describe('Name of the environment variable (not its value): read when Slipway starts.'),
  })
  .describe('An environment variable.');

const file = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .describe('Path of a file that holds only the token; read again whenever it changes.'),
  })
  .describe('A file, such as a mounted secret.');

const command = z
  .strictObject({
    command: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .describe(
        'Program and arguments as a list; what it prints is the token. One text only with `shell: true`.',
      ),
    shell: z
      .boolean()
      .default(false)
      .describe(
        'Run the text through the shell: every character in it then means what the shell says it means.',
      ),
    timeout,
  })
  .refine((value) => value.shell === (typeof value.command === 'string'), {
    path: ['command'],
    error: 'must be a list [program, argument, …], or one text together with `shell: true`',
  })
  .describe('A program, such as a password manager, run when a token is needed.');

const value = z
  .strictObject({
    value: z
      .string()
      .min(1)
      .describe('The token itself. Discouraged: whoever reads the config file has it; use env or file.'),
  })
  .describe('The token written down (warns).');

/** Where a destination's token comes from: exactly one of url, env, file, command, value. */
export const tokenSourceSchema = z.union([url, env, file, command, value], {
  error: 'must be exactly one of { url }, { env }, { file }, { command }, { value }',
});

/** A token source as resolved: durations in milliseconds. */
export type TokenSource = Readonly<z.output<typeof tokenSourceSchema>>;

function isHttpUrl(text: string): boolean {
  const parsed = URL.parse(text);
  return (
    parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === ''
  );
}
