import type { JsonPointer } from '../platform/files/json-pointer.ts';
import type { DestinationDefinition, PartsPlan } from './definition/definition.ts';
import { fieldsFor } from './definition/field-templates.ts';
import { sentName } from './definition/sent-name.ts';
import type { Answer, AuthorizedRequest, PartsCall, PartTransfer, Verdict } from './destination.ts';

/** What a request carries to prove who sends it. */
export type RequestCredentials = Omit<AuthorizedRequest, 'method' | 'url'>;

/** What the destination lends: its credentials and its judgement. */
export interface PartsMeans {
  credentials(signal: AbortSignal): Promise<RequestCredentials>;
  judgeAs(definition: DestinationDefinition, answer: Answer, request?: AuthorizedRequest): Verdict;
}

/** The calls of an upload in parts; null where the destination has none. */
export function openParts(definition: DestinationDefinition, means: PartsMeans): PartTransfer | null {
  const { parts } = definition;
  if (parts === null) return null;
  const judged = {
    create: judgedById(definition, parts.create.id),
    part: judgedById(definition, parts.part.id),
    complete: judgedWithin(definition, parts.complete.file),
    cancel: definition,
  };
  return {
    aboveBytes: parts.aboveBytes,
    partBytes: parts.partBytes,
    atOnce: parts.atOnce,
    lifetimeMs: parts.lifetimeMs,
    partField: parts.part.field,
    cancels: parts.cancel !== null,
    async authorize(call, signal) {
      const credentials = await means.credentials(signal);
      return {
        method: 'POST',
        url: urlOf(parts, call),
        ...credentials,
        json: jsonOf(definition, parts, call),
      };
    },
    judge: (call, answer, request) => means.judgeAs(judged[call.step], answer, request),
  };
}

function urlOf(parts: PartsPlan, call: PartsCall): string {
  if (call.step === 'create') return parts.create.url;
  const url = (call.step === 'cancel' ? parts.cancel : parts[call.step])?.url ?? '';
  return url.replace('{upload}', () => encodeURIComponent(call.uploadId.toWellFormed()));
}

function jsonOf(definition: DestinationDefinition, parts: PartsPlan, call: PartsCall): string | null {
  switch (call.step) {
    case 'part':
      return null;
    case 'cancel':
      return '{}';
    case 'complete': {
      const { partIds, md5 } = parts.complete;
      return JSON.stringify({ [partIds]: call.partIds, ...(md5 === null ? {} : { [md5]: call.md5 }) });
    }
    case 'create': {
      const { bytes, filename, contentType, numbers } = parts.create;
      const { file } = call;
      const { bare } = sentName(file.name, definition.fileNames);
      const members = fieldsFor(definition.fields, bare).map(
        ([name, value]) => [name, numbers.includes(name) ? Number(value) : value] as const,
      );
      const options = { [bytes]: file.bytes, [filename]: bare, [contentType]: file.contentType };
      return JSON.stringify({ ...nested(members), ...options });
    }
  }
}

/** Form fields as JSON members: `a[b]` is how a form spells a member of a. */
function nested(fields: readonly (readonly [name: string, value: string | number])[]): object {
  const members: Record<string, unknown> = {};
  for (const [name, value] of fields) {
    const [, outer, inner] = /^([^[\]]+)\[([^[\]]+)\]$/.exec(name) ?? [];
    if (outer === undefined || inner === undefined) members[name] = value;
    else members[outer] = { ...(members[outer] as object | undefined), [inner]: value };
  }
  return members;
}

/** Judged by the HTTP status and an id; what failures mean stays as it is. */
function judgedById(definition: DestinationDefinition, id: readonly JsonPointer[]): DestinationDefinition {
  return {
    ...definition,
    success: { status: '2xx', equals: [], nonEmpty: [] },
    answer: { ...definition.answer, id, url: [], urlTail: [], expiresAt: [], bytes: [] },
    readiness: null,
    ref: null,
  };
}

/** Judged as a plain upload whose answer stands at a place within this one. */
function judgedWithin(definition: DestinationDefinition, place: JsonPointer): DestinationDefinition {
  const { success, answer, readiness } = definition;
  const within = (pointers: readonly JsonPointer[]): readonly JsonPointer[] =>
    pointers.map((pointer) => [...place, ...pointer]);
  return {
    ...definition,
    success: {
      ...success,
      equals: success.equals.map(([pointer, value]) => [[...place, ...pointer], value] as const),
      nonEmpty: within(success.nonEmpty),
    },
    answer: {
      ...answer,
      id: within(answer.id),
      url: within(answer.url),
      urlTail: within(answer.urlTail),
      expiresAt: within(answer.expiresAt),
      bytes: within(answer.bytes),
    },
    readiness: readiness === null ? null : { ...readiness, status: within(readiness.status) },
  };
}
