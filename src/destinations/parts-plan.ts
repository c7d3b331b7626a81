import { compilePointer, compilePointers } from './definition/compile-definition.ts';
import type { PartsPlan } from './definition/definition.ts';
import type { DestinationConfig, WholeDefinition } from './definition/definition-schema.ts';
import { expandTemplate } from './definition/url-template.ts';

/** What an upload in parts has in common with a plain one. */
export interface PlainUpload {
  readonly params: Readonly<Record<string, string>>;
  /** null: it could not be made. */
  readonly url: URL | null;
}

/**
 * The `parts` block with its URLs made. A preset's block stays unused where the user replaced `url` by one on another
 * host: the token may only go where the upload goes, and nobody knows whether that host has these calls.
 * @param wrong told what cannot be used
 */
export function partsPlan(
  whole: WholeDefinition,
  config: DestinationConfig,
  { params, url: plain }: PlainUpload,
  wrong: (path: readonly (string | number)[], message: string) => void,
): PartsPlan | null {
  const block = whole.parts;
  if (block === null || plain === null) return null;
  const configured = config.parts !== undefined;
  let usable = true;

  function urlOf(call: 'create' | 'part' | 'complete' | 'cancel', template: string): string {
    const { text, missing } = expandTemplate(template, params, call === 'create' ? [] : ['upload']);
    for (const param of missing)
      wrong(['params', param], `is required: parts.${call}.url has a place for it`);
    const url = URL.parse(text);
    if (missing.length > 0 || url === null || url.origin !== plain?.origin) {
      usable = false;
      if (configured && missing.length === 0)
        wrong(['parts', call, 'url'], 'must be on the same host as url: begin both with {base}');
      return text;
    }
    if (call !== 'create' && !text.includes('{upload}'))
      wrong(['parts', call, 'url'], 'must hold {upload}, the place of the id that create answered');
    for (const [key, value] of Object.entries(whole.query)) url.searchParams.append(key, value);
    // A parsed URL has its braces encoded; the place of the id is filled in later.
    return url.href.replaceAll('%7Bupload%7D', '{upload}');
  }

  const { create, part, complete, cancel } = block;
  const plan: PartsPlan = {
    aboveBytes: block.above,
    maxBytes: block.maxBytes,
    partBytes: block.partBytes,
    atOnce: block.atOnce,
    lifetimeMs: block.lifetime ?? null,
    create: { ...create, url: urlOf('create', create.url), id: compilePointers(create.id) },
    part: { ...part, url: urlOf('part', part.url), id: compilePointers(part.id) },
    complete: {
      url: urlOf('complete', complete.url),
      partIds: complete.partIds,
      md5: complete.md5 ?? null,
      file: compilePointer(complete.file),
    },
    cancel: cancel === undefined ? null : { url: urlOf('cancel', cancel.url) },
  };
  return usable ? plan : null;
}
