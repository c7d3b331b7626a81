import { createInterface, type Interface } from 'node:readline/promises';
import { nearest } from '../../config/nearest.ts';
import { SANDBOX } from '../../config/sandbox-destination.ts';
import type { StarterAnswers } from '../../config/starter-config.ts';
import type { DestinationConfig } from '../../destinations/definition/definition-schema.ts';
import { loadPreset, presetNames } from '../../destinations/definition/presets.ts';
import { destinationProblems } from '../../destinations/definition/resolve-destination.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { checkUsable, waitsUntilReady } from '../../runtime/plans/destination-choice.ts';
import { type DestinationFlags, wordsOf } from './destination-flags.ts';

/** What `init` can be told. */
export interface InitFlags extends DestinationFlags {
  readonly folder?: string;
  readonly to?: string;
  readonly sandbox?: boolean;
  readonly key?: string;
  readonly webhook?: string;
  readonly yes?: boolean;
}

/** Asks a person; without one the answer is what is said without being asked. */
type Ask = (question: string, otherwise: string) => Promise<string>;

/**
 * What the flags say, and at a terminal a person of the rest.
 * @throws SlipwayError `usage` naming the flag that is missing
 */
export async function starterAnswers(
  flags: InitFlags,
): Promise<StarterAnswers & { readonly needsKey: string | null }> {
  if (flags.sandbox === true && flags.to !== undefined && flags.to !== SANDBOX)
    throw usage('--sandbox and --to exclude each other: give one of them');
  const person = process.stdin.isTTY && process.stderr.isTTY && flags.yes !== true;
  const terminal = person ? createInterface({ input: process.stdin, output: process.stderr }) : null;
  try {
    return await answersOf(flags, terminal === null ? null : askAt(terminal));
  } finally {
    terminal?.close();
  }
}

function askAt(terminal: Interface): Ask {
  return async (question, otherwise) => {
    const shown = otherwise === '' ? `${question}: ` : `${question} [${otherwise}]: `;
    // Ctrl-C and Ctrl-D reject: nothing is written then.
    const answer = await terminal.question(shown).catch(() => {
      throw usage('nothing was written');
    });
    return answer.trim() === '' ? otherwise : answer.trim();
  };
}

async function answersOf(
  flags: InitFlags,
  ask: Ask | null,
): Promise<StarterAnswers & { readonly needsKey: string | null }> {
  const folder = flags.folder ?? (await ask?.('Folder to watch', './inbox')) ?? './inbox';
  const to = flags.sandbox === true ? SANDBOX : checkedName(flags.to ?? (await askedName(ask)));
  const said = wordsOf(flags);
  const words = { fields: { ...said?.fields }, params: { ...said?.params }, url: said?.url ?? null };
  const rest = { webhook: await webhookOf(flags, ask), folder, to };
  if (to === SANDBOX) {
    if (said !== null || flags.key !== undefined)
      throw usage('sandbox needs no key, and takes neither --field, --param nor --url: leave them out');
    return {
      ...rest,
      ...words,
      keyVariable: null,
      acknowledgePublic: null,
      canWait: false,
      needsKey: null,
    };
  }
  await askForMissing(to, words, ask);
  const written = writtenOf(to, words);
  checkUsable(to, written);
  const { token, visibility } = loadPreset(to);
  const own = token !== undefined && 'env' in token ? token.env : null;
  const askedKey = own === null ? null : await ask?.('Environment variable that holds the key', own);
  const keyVariable = checkedVariable(flags.key ?? askedKey ?? own);
  const acknowledgePublic = visibility === 'public' ? await publicNotice(to, flags, ask) : null;
  const ready = { canWait: waitsUntilReady(written) };
  return { ...rest, ...words, ...ready, keyVariable, acknowledgePublic, needsKey: keyVariable };
}

async function askedName(ask: Ask | null): Promise<string> {
  if (ask !== null) return await ask(`Destination (${[...presetNames(), SANDBOX].join(', ')})`, SANDBOX);
  throw usage(
    'where do files go? Pass --to with a preset (slipway destinations list), or --sandbox for a trial',
  );
}

function checkedName(name: string): string {
  const known = [...presetNames(), SANDBOX];
  if (known.includes(name)) return name;
  const meant = nearest(name, known);
  const fix = meant === null ? `--to takes one of ${known.join(', ')}` : `did you mean ${meant}?`;
  throw usage(`there is no destination ${name}: ${fix}`);
}

/** What this API cannot be used without. */
async function askForMissing(
  to: string,
  words: {
    readonly fields: Record<string, string>;
    readonly params: Record<string, string>;
    url: string | null;
  },
  ask: Ask | null,
): Promise<void> {
  if (ask === null) return;
  for (const { path, message } of destinationProblems(to, writtenOf(to, words))) {
    const [group, key] = path;
    if ((group !== 'fields' && group !== 'params') || typeof key !== 'string') continue;
    const answer = await ask(`${key} (${message})`, '');
    if (answer !== '') words[group][key] = answer;
  }
}

function writtenOf(
  to: string,
  { fields, params, url }: Pick<StarterAnswers, 'fields' | 'params' | 'url'>,
): DestinationConfig {
  return { preset: to, fields, params, ...(url === null ? {} : { url }) };
}

async function publicNotice(to: string, { yes }: InitFlags, ask: Ask | null): Promise<true> {
  const notice = `${to} makes every file readable by anyone who has its URL, and cannot delete it`;
  if (yes === true) return true;
  if (ask === null) throw usage(`${notice}: pass --yes if that is what you want`);
  if (/^y(es)?$/i.test(await ask(`${notice}. Go on? y/N`, ''))) return true;
  throw usage('nothing was written');
}

function checkedVariable(name: string | null): string | null {
  if (name === null || /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name;
  // What is not a name may be the key itself: it is not repeated.
  throw usage('--key takes the name of an environment variable, such as OPENAI_API_KEY, and not the key');
}

async function webhookOf({ webhook }: InitFlags, ask: Ask | null): Promise<string | null> {
  const url = webhook ?? (await ask?.('Webhook URL, if somebody is to be told (none)', '')) ?? '';
  if (url === '') return null;
  if (/^https?:\/\//.test(url)) return url;
  throw usage('--webhook takes an http:// or https:// URL');
}

function usage(problem: string): SlipwayError {
  return new SlipwayError('usage', { problem });
}
