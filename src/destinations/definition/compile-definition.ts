import { resolve } from 'node:path';
import { SlipwayError } from '../../domain/errors.ts';
import type { Rate } from '../../pacing/known-quota.ts';
import { type JsonPointer, parsePointer } from '../../platform/files/json-pointer.ts';
import type { DestinationLimits } from '../destination.ts';
import type { TokenSource } from '../token/token-options.ts';
import type {
  AcceptedStatus,
  AnswerPointers,
  DestinationDefinition,
  ErrorRule,
  PartsPlan,
  ReadinessPlan,
  Signer,
} from './definition.ts';
import type { DestinationConfig, WholeDefinition } from './definition-schema.ts';

/** What was decided before: the parts of a definition that depend on region, params and other keys. */
export interface DecidedParts {
  readonly name: string;
  readonly url: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly readiness: ReadinessPlan | null;
  readonly parts: PartsPlan | null;
  readonly calls: DestinationDefinition['calls'];
  readonly rate: Rate | null;
  /** What a relative `token.file` is relative to. */
  readonly baseDir: string;
}

/** A checked definition in the form the engine runs: pointers and patterns compiled, frozen through and through. */
export function compileDefinition(
  whole: WholeDefinition,
  config: DestinationConfig,
  decided: DecidedParts,
): DestinationDefinition {
  return deepFrozen({
    name: decided.name,
    preset: config.preset ?? null,
    method: whole.method,
    url: decided.url,
    headers: whole.headers,
    fileField: whole.fileField,
    fileNames: whole.fileNames,
    fields: decided.fields,
    allowedFields: whole.allowedFields,
    auth: whole.auth,
    token: whole.token === null ? null : placedToken(whole.token, decided.baseDir),
    signer: signerOf(whole.signer),
    success: {
      status: acceptedStatus(whole.success.status),
      equals: Object.entries(whole.success.equals).map(
        ([text, value]) => [compilePointer(text), value] as const,
      ),
      nonEmpty: compilePointers(whole.success.nonEmpty),
    },
    answer: answerPointers(whole.answer),
    errors: whole.errors.map(errorRule),
    limits: limitsFor(whole, config, decided.parts),
    readiness: decided.readiness,
    parts: decided.parts,
    calls: decided.calls,
    ref: whole.ref,
    visibility: whole.visibility,
    acknowledgePublic: config.acknowledgePublic === true,
    concurrency: config.concurrency ?? null,
    rate: decided.rate,
    secrets: [],
  });
}

/** What the user wrote beats what depends on a field, that beats the size that parts allow, that the plain limit. */
function limitsFor(
  whole: WholeDefinition,
  config: DestinationConfig,
  parts: PartsPlan | null,
): DestinationLimits {
  const by = whole.limitsBy;
  const chosen = by === null ? undefined : by.values[String(whole.fields[by.field])];
  const inParts = parts === null ? {} : { maxBytes: parts.maxBytes };
  const limits = { ...whole.limits, ...inParts, ...chosen, ...config.limits };
  return {
    maxBytes: limits.maxBytes ?? null,
    minBytes: limits.minBytes ?? null,
    extensions: limits.extensions?.map((extension) => extension.toLowerCase()) ?? null,
  };
}

function placedToken(token: TokenSource, baseDir: string): TokenSource {
  return 'file' in token ? { file: resolve(baseDir, token.file) } : token;
}

function signerOf(signer: WholeDefinition['signer']): Signer {
  return signer === 'none' ? { kind: 'none' } : signer;
}

function acceptedStatus(status: WholeDefinition['success']['status']): AcceptedStatus {
  return typeof status === 'number' ? [status] : status;
}

function errorRule(rule: WholeDefinition['errors'][number]): ErrorRule {
  const compiled = (text: string | undefined): RegExp | null =>
    text === undefined ? null : new RegExp(text, 'u');
  return {
    status: rule.status === undefined ? null : [rule.status].flat(),
    code: rule.code === undefined ? null : [rule.code].flat().map(String),
    codePattern: compiled(rule.codePattern),
    typePattern: compiled(rule.typePattern),
    messagePattern: compiled(rule.messagePattern),
    kind: rule.kind,
    clock: rule.clock === true,
    hint: rule.hint ?? null,
  };
}

function answerPointers(answer: WholeDefinition['answer']): AnswerPointers {
  const { traceHeader, codeIsHttpStatus, ...pointers } = answer;
  return {
    url: compilePointers(pointers.url),
    urlTail: compilePointers(pointers.urlTail),
    id: compilePointers(pointers.id),
    expiresAt: compilePointers(pointers.expiresAt),
    bytes: compilePointers(pointers.bytes ?? []),
    message: compilePointers(pointers.message),
    code: compilePointers(pointers.code),
    type: compilePointers(pointers.type),
    trace: compilePointers(pointers.trace),
    traceHeader: traceHeader?.toLowerCase() ?? null,
    codeIsHttpStatus,
  };
}

/** One pointer or several, compiled. */
export function compilePointers(pointers: string | readonly string[]): readonly JsonPointer[] {
  return [pointers].flat().map(compilePointer);
}

/** The schema has already refused what is not a pointer. */
export function compilePointer(text: string): JsonPointer {
  const pointer = parsePointer(text);
  if (pointer === null) throw new SlipwayError('internal', { reason: `unchecked JSON Pointer ${text}` });
  return pointer;
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof RegExp || Object.isFrozen(value))
    return value;
  for (const part of Object.values(value)) deepFrozen(part);
  return Object.freeze(value);
}
