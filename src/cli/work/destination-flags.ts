import type { Command } from 'commander';
import type { DestinationWords } from '../../domain/destination-words.ts';
import { SlipwayError } from '../../domain/errors.ts';

/** Flags that say of a destination what its name alone does not. */
export interface DestinationFlags {
  readonly field?: readonly string[];
  readonly param?: readonly string[];
  readonly url?: string;
}

/** `--field`, `--param` and `--url`, for commands with `--to`. */
export function addDestinationOptions(command: Command): Command {
  const repeatable = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
  return command
    .option('--field <key=value>', 'a text field that the API wants with each file (repeatable)', repeatable)
    .option('--param <key=value>', 'a place in its URL, such as base=https://… (repeatable)', repeatable)
    .option('--url <url>', 'where to send instead, as a whole');
}

/**
 * What the flags say of the destination; null: nothing.
 * @throws SlipwayError `usage`
 */
export function wordsOf({ field, param, url }: DestinationFlags): DestinationWords | null {
  if (field === undefined && param === undefined && url === undefined) return null;
  return {
    ...(field === undefined ? {} : { fields: pairsOf(field, '--field', 'purpose=batch') }),
    ...(param === undefined ? {} : { params: pairsOf(param, '--param', 'base=https://host/v1') }),
    ...(url === undefined ? {} : { url }),
  };
}

/**
 * As `wordsOf`, for commands whose sources may name a destination of their own: which one is meant has to be said.
 * @throws SlipwayError `usage`
 */
export function wordsWithTo(flags: DestinationFlags & { readonly to?: string }): DestinationWords | null {
  const words = wordsOf(flags);
  if (words === null || flags.to !== undefined) return words;
  throw new SlipwayError('usage', {
    problem: '--field, --param and --url go with --to: name the destination',
  });
}

function pairsOf(texts: readonly string[], flag: string, example: string): Record<string, string> {
  const said = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    // The value may be a secret that was meant for another flag: it is not repeated.
    if (equals < 1) throw usage(`${flag} takes KEY=VALUE, such as ${flag} ${example}`);
    const key = text.slice(0, equals);
    if (said.has(key)) throw usage(`${flag} ${key} is given twice: leave one of them out`);
    said.set(key, text.slice(equals + 1));
  }
  return Object.fromEntries(said);
}

function usage(problem: string): SlipwayError {
  return new SlipwayError('usage', { problem });
}
