/** `{name}` in a template. */
const VARIABLE = /\{([A-Za-z][A-Za-z0-9_]*)\}/g;

export interface ExpandedTemplate {
  readonly text: string;
  /** Variables that no param fills. */
  readonly missing: readonly string[];
}

/**
 * Fills `{names}` in a URL. One at the very start is scheme, host and path prefix and goes in as written; anywhere
 * else it is one path segment and is percent-encoded, so that no value can change the shape of the URL.
 * @param kept names left alone for a later step
 */
export function expandTemplate(
  template: string,
  params: Readonly<Record<string, string>>,
  kept: readonly string[] = [],
): ExpandedTemplate {
  const missing: string[] = [];
  const text = template.replace(VARIABLE, (whole, name: string, offset: number) => {
    if (kept.includes(name)) return whole;
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    if (value === undefined) {
      missing.push(name);
      return whole;
    }
    return offset === 0 ? value.replace(/\/+$/, '') : encodeURIComponent(value);
  });
  return { text, missing };
}
