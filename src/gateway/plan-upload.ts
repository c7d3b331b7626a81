import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import { refusedBy } from '../destinations/definition/limits.ts';
import { formatBytes } from '../platform/units.ts';
import { badRequest, Refusal } from './refusal.ts';
import type { ShapeName } from './shapes/shape.ts';

/** What the document says where nothing else is asked for. */
const DOCUMENTED_PURPOSE = 'file-extract';
const ANCHOR = 'expires_after[anchor]';
const SECONDS = 'expires_after[seconds]';
const LEAST_SECONDS = 3_600;
const MOST_SECONDS = 2_592_000;

/** How an upload is sent: which text fields, and what the caller is told its purpose is. */
export interface UploadPlan {
  /** Added to the destination's own. */
  readonly fields: Readonly<Record<string, string>>;
  readonly purpose: string;
}

/** What is known of a destination's purposes. */
export type Purposes =
  /** It knows none, and any is as good as another. */
  | { readonly kind: 'none' }
  /** `values` empty: any. */
  | { readonly kind: 'takes'; readonly values: readonly string[]; readonly own: string | null };

/** Pure. */
export function purposesOf(definition: DestinationDefinition): Purposes {
  const own = definition.fields.find(([name]) => name === 'purpose')?.[1] ?? null;
  const { allowedFields } = definition;
  const values = allowedFields === null ? (own === null ? null : []) : (allowedFields.purpose ?? null);
  return values === null ? { kind: 'none' } : { kind: 'takes', values, own };
}

/**
 * What the form's text fields mean at this destination. Pure.
 * @param routeFields text fields of the route
 * @throws Refusal 400 that lists what the destination takes
 */
export function planUpload(
  form: ReadonlyMap<string, string>,
  definition: DestinationDefinition,
  routeFields: Readonly<Record<string, string>>,
  shape: ShapeName,
): UploadPlan {
  const asked = form.get('purpose') || null;
  const purposes = purposesOf(definition);
  const expiry = shape === 'openai' ? expiryOf(form, definition) : {};
  if (purposes.kind === 'none') {
    return { fields: { ...routeFields, ...expiry }, purpose: asked ?? DOCUMENTED_PURPOSE };
  }
  const takes = (purpose: string): boolean =>
    purposes.values.length === 0 || purposes.values.includes(purpose);
  if (asked !== null && !takes(asked)) {
    throw badRequest(
      'invalid_purpose',
      `this destination does not take the purpose ${JSON.stringify(asked.slice(0, 100))}: it takes ${purposes.values.join(', ')}`,
      'purpose',
    );
  }
  const own = routeFields.purpose ?? purposes.own;
  const documented = shape === 'vectorx' && routeFields.purpose === undefined && takes(DOCUMENTED_PURPOSE);
  const purpose = asked ?? (documented ? DOCUMENTED_PURPOSE : own);
  if (purpose === null) {
    throw badRequest(
      'missing_purpose',
      `purpose is missing: this destination takes ${purposes.values.join(', ')}`,
      'purpose',
    );
  }
  return { fields: { ...routeFields, ...expiry, purpose }, purpose };
}

/** How long the far side keeps the file; a destination that cannot would keep it for ever. */
function expiryOf(
  form: ReadonlyMap<string, string>,
  { allowedFields }: DestinationDefinition,
): Readonly<Record<string, string>> {
  const anchor = form.get(ANCHOR);
  const seconds = form.get(SECONDS);
  if (anchor === undefined && seconds === undefined) return {};
  if (allowedFields === null || allowedFields[SECONDS] === undefined) {
    throw badRequest('invalid_expiry', 'this destination takes no expires_after', 'expires_after');
  }
  if (anchor !== 'created_at') {
    throw badRequest('invalid_expiry', `${ANCHOR} must be created_at`, ANCHOR);
  }
  const value = Number(seconds);
  if (!/^\d+$/.test(seconds ?? '') || value < LEAST_SECONDS || value > MOST_SECONDS) {
    throw badRequest('invalid_expiry', `${SECONDS} must be ${LEAST_SECONDS} to ${MOST_SECONDS}`, SECONDS);
  }
  return { [ANCHOR]: anchor, [SECONDS]: String(value) };
}

/**
 * Whether the destination is known to refuse such a file.
 * @param definition with the text fields of this upload: limits hang on them
 * @throws Refusal 400, 413
 */
export function checkLimits(
  definition: DestinationDefinition,
  file: { readonly name: string; readonly bytes: number },
): void {
  const refusal = refusedBy(definition.limits, { path: file.name, size: file.bytes }, 'this destination');
  if (refusal === null) return;
  if (refusal.code !== 'too_large') {
    throw badRequest(
      refusal.code === 'type' ? 'invalid_file_type' : 'file_too_small',
      refusal.message,
      'file',
    );
  }
  const { maxBytes } = definition.limits;
  throw new Refusal({
    status: 413,
    code: 'file_too_large',
    message: `the file is larger than what this destination takes: ${maxBytes} bytes (${formatBytes(maxBytes ?? 0)})`,
    param: 'file',
  });
}
