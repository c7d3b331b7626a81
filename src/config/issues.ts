import type { z } from 'zod';
import type { YamlPath } from '../platform/files/yaml-document.ts';
import { keysAt } from './json-schema.ts';
import { nearest } from './nearest.ts';

export interface Mistake {
  readonly path: YamlPath;
  readonly message: string;
}

/** Messages of the house for what a schema finds, in place of zod's; a schema's own message goes before. */
export const issueMessage: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return `is required: ${nounOf(issue.expected)}`;
      return `must be ${nounOf(issue.expected)}, not ${nounOfValue(issue.input)}`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map(literal))}`;
    case 'too_small':
      return `must be ${sizeWord(issue.origin)}${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `must be ${sizeWord(issue.origin)}${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`;
    case 'invalid_format':
      return 'has not the form it needs';
    default:
      return undefined;
  }
};

/** Everything that a schema found, one mistake each: unknown keys apart, unions by the branch that was meant. */
export function mistakesOf(issues: readonly z.core.$ZodIssue[]): readonly Mistake[] {
  return issues.flatMap((issue) => mistakesOfIssue(issue, []));
}

function mistakesOfIssue(issue: z.core.$ZodIssue, under: YamlPath): readonly Mistake[] {
  const path = [...under, ...issue.path.filter((step) => typeof step !== 'symbol')];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, keysAt(path)) }));
  }
  if (issue.code === 'invalid_key') {
    const [first] = issue.issues;
    return [{ path, message: `is not a usable name: ${first?.message ?? issue.message}` }];
  }
  if (issue.code === 'invalid_union') {
    const meant = branchMeant(issue.errors);
    if (meant !== null) return meant.flatMap((inner) => mistakesOfIssue(inner, path));
    if (issue.message !== DEFAULT_UNION) return [{ path, message: issue.message }];
    return [{ path, message: unionMessage(issue.errors) }];
  }
  return [{ path, message: issue.message }];
}

const DEFAULT_UNION = 'Invalid input';

/** The branch that fits as a whole and is wrong only further in; null when none or several do. */
function branchMeant(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | null {
  const fitting = branches.filter(
    (issues) => issues.length > 0 && issues.every((issue) => issue.path.length > 0),
  );
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}

function unionMessage(branches: readonly (readonly z.core.$ZodIssue[])[]): string {
  const messages = branches
    .flatMap((issues) => issues.filter((issue) => issue.path.length === 0))
    .map((issue) => issue.message);
  const wanted = messages.map((message) => /^must be (.+?)(?:, not .+)?$/.exec(message)?.[1]);
  const known = [...new Set(wanted.filter((text) => text !== undefined))];
  return known.length > 0 ? `must be ${oneOf(known)}` : 'has none of the forms it may have';
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  if (meant !== null) return `is not a key here: did you mean \`${meant}\`?`;
  return known.length === 0 ? 'is not a key here' : `is not a key here: known are ${known.join(', ')}`;
}

const NOUNS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a group of keys',
  record: 'a group of keys',
  array: 'a list',
  null: 'null',
};

function nounOf(expected: string): string {
  return NOUNS[expected] ?? expected;
}

function nounOfValue(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a group of keys' : nounOf(typeof value);
}

function sizeWord(origin: string): string {
  return origin === 'string' ? 'of a length of ' : origin === 'array' || origin === 'set' ? 'a list of ' : '';
}

function literal(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
