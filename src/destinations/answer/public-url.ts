import { keepLast } from '../../platform/keep-last.ts';

/**
 * A URL from an answer in the form that can be fetched; null when it is none.
 *
 * Some services put the file name into the URL as it is: `#`, `?` and `%` in it would then mean something else
 * (contract §6.1). Where the URL ends with `tail`, which the answer also gives alone, each segment of it is encoded;
 * elsewhere the URL is serialised as a browser does.
 * @param base what a relative URL is relative to
 */
export function publicUrl(raw: string, tail: string | null, base: string): string | null {
  const text = raw.trim();
  if (tail !== null && tail !== '' && text.endsWith(tail)) {
    const prefix = httpUrl(text.slice(0, -tail.length), base);
    if (prefix !== null) return prefix + tail.split('/').map(encodeSegment).join('/');
  }
  return httpUrl(text, base);
}

/** What stands before the tail is the same for file after file. */
const httpUrl = keepLast((text: string, base: string): string | null => {
  const url = text === '' ? null : URL.parse(text, base);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : null;
});

/** A lone surrogate, which encodeURIComponent refuses, becomes U+FFFD as in every URL parser. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment.toWellFormed());
}
