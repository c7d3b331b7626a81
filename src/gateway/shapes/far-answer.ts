import { atPointer } from '../../platform/files/json-pointer.ts';
import { ERROR_HEADER, type UploadEnd } from './shape.ts';

/** The far side's last answer, without our secrets. */
export interface FarAnswer {
  readonly status: number;
  /** Parsed where it is JSON, else its text. */
  readonly body: unknown;
  /** Whether the body is JSON. */
  readonly isJson: boolean;
  readonly retryAfter: string | null;
}

/** What the far side said last; null: nothing came back. */
export function farAnswer({ result: { answer } }: Pick<UploadEnd, 'result'>): FarAnswer | null {
  if (answer === null) return null;
  const text = answer.clean(answer.body);
  const retryAfter = answer.headers['retry-after'] ?? null;
  try {
    return { status: answer.status, body: JSON.parse(text), isJson: true, retryAfter };
  } catch {
    return { status: answer.status, body: text, isJson: false, retryAfter };
  }
}

type Defined = Pick<UploadEnd, 'definition'>;

/** The code that an API put into its answer, where its definition looks for one. */
export function codeIn({ definition }: Defined, body: unknown): string | number | null {
  return firstAt(definition.answer.code, body);
}

/** The reason likewise. */
export function messageIn({ definition }: Defined, body: unknown): string | null {
  const found = firstAt(definition.answer.message, body);
  return found === null ? null : String(found);
}

function firstAt(pointers: UploadEnd['definition']['answer']['code'], body: unknown): string | number | null {
  for (const pointer of pointers) {
    const value = atPointer(body, pointer);
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') return value;
  }
  return null;
}

/** When to come back, in whole seconds; null: nobody said. */
export function retryAfterSeconds({ result }: UploadEnd): number | null {
  const { retryAfterMs } = result;
  return retryAfterMs === null ? null : Math.max(1, Math.ceil(retryAfterMs / 1000));
}

/** What stands in the head of every answer about an upload that failed: whose refusal it is, and when to come back. */
export function failureHeaders(end: UploadEnd, far: FarAnswer | null): Readonly<Record<string, string>> {
  const seconds = retryAfterSeconds(end);
  return {
    [ERROR_HEADER]: far === null ? 'gateway' : 'upstream',
    ...(seconds === null ? {} : { 'retry-after': String(seconds) }),
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
