import { SlipwayError } from '../../domain/errors.ts';
import { partsPlan } from '../parts-plan.ts';
import { compileDefinition, compilePointers } from './compile-definition.ts';
import type { DestinationDefinition, ReadinessPlan, RemoteCall, RemoteCallName } from './definition.ts';
import {
  type DestinationConfig,
  type Preset,
  type WholeDefinition,
  wholeDefinitionSchema,
} from './definition-schema.ts';
import { mergeDefinition, quotaOf } from './merge-definition.ts';
import { loadPreset, presetNames } from './presets.ts';
import { expandTemplate } from './url-template.ts';

/** One thing wrong with a destination. `path` is relative to it. */
export interface DestinationProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * Preset, region, params and overrides put together, with nothing left to decide.
 * Throws `config_invalid` naming everything that is wrong.
 * @param baseDir what a relative `token.file` is relative to
 */
export function resolveDestination(
  name: string,
  config: DestinationConfig,
  baseDir: string = process.cwd(),
): DestinationDefinition {
  const built = buildDestination(name, config, baseDir);
  if (built.definition !== null) return built.definition;
  const problem = built.problems
    .map(({ path, message }) => `${['destinations', name, ...path].join('.')}: ${message}`)
    .join('; ');
  throw new SlipwayError('config_invalid', { problem });
}

/** Everything wrong with a destination that its schema alone cannot see; empty when it can be used. */
export function destinationProblems(name: string, config: DestinationConfig): readonly DestinationProblem[] {
  return buildDestination(name, config, '/').problems;
}

interface Built {
  readonly definition: DestinationDefinition | null;
  readonly problems: readonly DestinationProblem[];
}

function buildDestination(name: string, config: DestinationConfig, baseDir: string): Built {
  const problems: DestinationProblem[] = [];
  const wrong = (path: readonly (string | number)[], message: string): void =>
    void problems.push({ path, message });

  if (config.preset !== undefined && !presetNames().includes(config.preset)) {
    wrong(
      ['preset'],
      `there is no preset ${JSON.stringify(config.preset)}: use one of ${presetNames().join(', ')}`,
    );
    return { definition: null, problems };
  }
  const preset = config.preset === undefined ? null : loadPreset(config.preset);
  const merged = mergeDefinition(preset, config);
  for (const key of ['url', 'answer'] as const) {
    if (merged[key] === undefined) wrong([key], 'is required where no preset gives it');
  }
  if (problems.length > 0) return { definition: null, problems };
  const parsed = wholeDefinitionSchema.safeParse(merged);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      wrong(
        issue.path.filter((step) => typeof step !== 'symbol'),
        issue.message,
      );
    }
    return { definition: null, problems };
  }
  const whole = parsed.data;

  const params = chosenParams(whole, config, wrong);
  const url = uploadUrl(whole, params, wrong);
  const fields = textFields(whole, wrong);
  const readiness = readinessPlan(whole, config, params, url, wrong);
  const parts = partsPlan(whole, config, { params, url }, wrong);
  checkAnswer(whole, wrong);
  if (problems.length > 0 || url === null) return { definition: null, problems };

  const rate = quotaOf(preset, config);
  const calls = remoteCalls(preset, params, url);
  const decided = { name, url: url.href, fields, readiness, parts, calls, rate, baseDir };
  return { definition: compileDefinition(whole, config, decided), problems };
}

type Wrong = (path: readonly (string | number)[], message: string) => void;

function chosenParams(
  whole: WholeDefinition,
  config: DestinationConfig,
  wrong: Wrong,
): Readonly<Record<string, string>> {
  const regions = Object.keys(whole.regions);
  const { region } = whole;
  const chosen = region !== null && Object.hasOwn(whole.regions, region) ? whole.regions[region] : undefined;
  if (chosen === undefined && (region !== null || regions.length > 0)) {
    wrong(
      ['region'],
      regions.length === 0 ? 'this destination has no regions' : `must be one of ${regions.join(', ')}`,
    );
  }
  // What the user wrote beats the region, the region beats what the preset says of every region. With a wrong region
  // any other stands in for it: the params it lacks are not a second mistake.
  const ofRegion = chosen ?? Object.values(whole.regions)[0];
  return { ...whole.params, ...ofRegion, ...config.params };
}

function uploadUrl(
  whole: WholeDefinition,
  params: Readonly<Record<string, string>>,
  wrong: Wrong,
): URL | null {
  const { text, missing } = expandTemplate(whole.url, params);
  for (const param of missing)
    wrong(['params', param], 'is required: the URL has a place for it (or set url as a whole)');
  if (missing.length > 0) return null;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    wrong(['url'], 'must be an http:// or https:// URL');
    return null;
  }
  if (url.username !== '' || url.password !== '')
    wrong(['url'], 'must not carry a user name or password: use token or headers');
  url.hash = '';
  for (const [key, value] of Object.entries(whole.query)) url.searchParams.append(key, value);
  return url;
}

function textFields(whole: WholeDefinition, wrong: Wrong): (readonly [string, string])[] {
  const fields = Object.entries(whole.fields)
    .filter(([, value]) => value !== null)
    .map(([field, value]) => [field, String(value)] as const);
  for (const [field, value] of fields) {
    if (field === whole.fileField) wrong(['fields', field], 'is the name of the field that carries the file');
    if (whole.allowedFields === null) continue;
    const values = Object.hasOwn(whole.allowedFields, field) ? whole.allowedFields[field] : undefined;
    if (values === undefined) {
      const known = Object.keys(whole.allowedFields).join(', ');
      wrong(
        ['fields', field],
        known === '' ? 'this API takes no text fields' : `this API takes no other text field than ${known}`,
      );
    } else if (values.length > 0 && !values.includes(value)) {
      wrong(['fields', field], `must be one of ${values.join(', ')}`);
    }
  }
  for (const field of whole.requiredFields) {
    if (fields.some(([name]) => name === field)) continue;
    const values = whole.allowedFields?.[field] ?? [];
    wrong(
      ['fields', field],
      `is required by this API${values.length > 0 ? `: one of ${values.join(', ')}` : ''}`,
    );
  }
  return fields;
}

function readinessPlan(
  whole: WholeDefinition,
  config: DestinationConfig,
  params: Readonly<Record<string, string>>,
  url: URL | null,
  wrong: Wrong,
): ReadinessPlan | null {
  if (config.waitUntilReady !== true) return null;
  const plan = whole.readiness;
  if (plan === null) {
    wrong(['waitUntilReady'], 'this destination has no readiness to ask for');
    return null;
  }
  if (whole.answer.id.length === 0)
    wrong(['waitUntilReady'], 'needs answer.id: looks ask for a file by its id');
  const { text } = expandTemplate(plan.url, params, ['id']);
  // The token travels with the question, so it may only go where the upload goes.
  if (url !== null && URL.parse(text)?.origin !== url.origin) {
    wrong(['url'], 'is on another host than readiness.url: set params.base, which moves both');
  }
  const { status, ready, failed, perSecond, interval: intervalMs, deadline: deadlineMs } = plan;
  return { url: text, status: compilePointers(status), ready, failed, intervalMs, deadlineMs, perSecond };
}

/** The preset's calls about files that are there. A call to another host than the upload would carry the token away. */
function remoteCalls(
  preset: Preset | null,
  params: Readonly<Record<string, string>>,
  upload: URL,
): DestinationDefinition['calls'] {
  const calls: Partial<Record<RemoteCallName, RemoteCall>> = {};
  for (const name of ['list', 'get', 'remove', 'content'] as const) {
    const call = preset?.[name];
    if (call === undefined) continue;
    const { text, missing } = expandTemplate(call.url, params, ['id']);
    if (missing.length === 0 && URL.parse(text)?.origin === upload.origin) {
      calls[name] = { method: call.method, url: text };
    }
  }
  return calls;
}

function checkAnswer({ answer, ref }: WholeDefinition, wrong: Wrong): void {
  const has = { url: answer.url.length > 0, id: answer.id.length > 0 };
  if (!has.url && !has.id)
    wrong(['answer'], 'needs url or id: without one nothing downstream could find the file');
  for (const key of ['url', 'id'] as const) {
    if (ref?.includes(`{${key}}`) === true && !has[key])
      wrong(['ref'], `uses {${key}}, but answer.${key} is not set`);
  }
}
