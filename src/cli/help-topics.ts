import { EXIT } from './exit-codes.ts';

/** What `slipway help TOPIC` prints besides the help of commands. */
export const HELP_TOPICS: Readonly<Record<string, () => string>> = {
  'exit-codes': exitCodes,
  environment,
};

const CODES: readonly (readonly [code: string, meaning: string])[] = [
  [String(EXIT.ok), 'done'],
  [String(EXIT.internal), 'a fault of Slipway itself'],
  [String(EXIT.usage), 'usage or configuration: the message names the fix'],
  [
    String(EXIT.temporary),
    'some files still fail for now, or a token service cannot be reached: try again later',
  ],
  [String(EXIT.permanent), 'some files have failed for good: slipway failed list'],
  [String(EXIT.stopped), 'a destination is stopped: credentials, clock, account'],
  [`${EXIT.sigint}, ${EXIT.sigterm}`, 'SIGINT or SIGTERM cut work short; after a complete drain it is 0'],
];

function exitCodes(): string {
  const lines = CODES.map(([code, meaning]) => `  ${code.padEnd(9)} ${meaning}`);
  return `Exit codes of every command\n\n${lines.join('\n')}\n\nOf several, 7 wins over 6, that over 5.\n`;
}

/** Every variable that is read, besides those that `${NAME}` in the config file and `token.env` name. */
export const VARIABLES: readonly (readonly [name: string, meaning: string])[] = [
  ['SLIPWAY_CONFIG', 'the config file, where --config does not name it (default ./slipway.yaml)'],
  ['SLIPWAY_LOG_LEVEL', 'silent, error, warn, info or debug; --log-level wins over it'],
  ['NO_COLOR', 'any value but the empty one: no colours; TERM=dumb means the same, and no redrawn lines'],
  ['HTTP_PROXY, HTTPS_PROXY, ALL_PROXY', 'proxies; lower case wins'],
  ['NO_PROXY', 'hosts that are reached without one'],
  [
    'XDG_STATE_HOME',
    'without a config file state is in $XDG_STATE_HOME/slipway (default ~/.local/state/slipway)',
  ],
  ['XDG_CACHE_HOME', 'where it is kept which warnings were shown today (default ~/.cache/slipway)'],
];

function environment(): string {
  const width = Math.max(...VARIABLES.map(([name]) => name.length));
  const lines = VARIABLES.map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`);
  return [
    'Environment variables',
    '',
    ...lines,
    '',
    'In the config file ${NAME} and ${NAME:-default} are filled in from the environment, and from .env beside the file,',
    'which never overrides it. Presets name the variable of their key: slipway destinations list.',
    '',
  ].join('\n');
}
