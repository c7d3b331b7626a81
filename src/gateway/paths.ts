import type { ShapeName } from './shapes/shape.ts';

/** What a request below a route's prefix asks for. */
export type Action =
  | { readonly kind: 'upload'; readonly shape: ShapeName }
  | { readonly kind: 'list' }
  /** `id` null: a new one. */
  | { readonly kind: 'resumable'; readonly id: string | null }
  | { readonly kind: 'get' | 'remove' | 'content'; readonly id: string };

export type PathFinding =
  | { readonly kind: 'found'; readonly action: Action }
  | { readonly kind: 'wrong-method'; readonly allow: string }
  | { readonly kind: 'unknown' };

function resumable(id: string): Action {
  return { kind: 'resumable', id: id === '' ? null : id };
}

/** Path patterns below a prefix, and what each method does there. */
const PATHS: readonly {
  readonly path: RegExp;
  readonly methods: Readonly<Record<string, (id: string) => Action>>;
}[] = [
  {
    path: /^\/(?:v1\/aiagent\/agents\/[^/]+\/)?upload-openai-file$/,
    methods: { POST: () => ({ kind: 'upload', shape: 'vectorx' }) },
  },
  {
    path: /^\/agentdr\/v1\/assistant\/upload-mix$/,
    methods: { POST: () => ({ kind: 'upload', shape: 'autoglm' }) },
  },
  {
    path: /^\/v1\/files$/,
    methods: { GET: () => ({ kind: 'list' }), POST: () => ({ kind: 'upload', shape: 'openai' }) },
  },
  {
    path: /^\/v1\/files\/([^/]+)$/,
    methods: { DELETE: (id) => ({ kind: 'remove', id }), GET: (id) => ({ kind: 'get', id }) },
  },
  { path: /^\/v1\/files\/([^/]+)\/content$/, methods: { GET: (id) => ({ kind: 'content', id }) } },
  { path: /^\/tus$/, methods: { OPTIONS: resumable, POST: resumable } },
  {
    path: /^\/tus\/([^/]+)$/,
    methods: { DELETE: resumable, HEAD: resumable, OPTIONS: resumable, PATCH: resumable },
  },
];

/**
 * What a method and a path below a prefix mean. Pure.
 * @param rest the path without its prefix; one slash at its end counts for nothing
 */
export function findAction(method: string, rest: string): PathFinding {
  const path = rest.length > 1 && rest.endsWith('/') ? rest.slice(0, -1) : rest;
  for (const { path: pattern, methods } of PATHS) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const wanted = method === 'HEAD' && !Object.hasOwn(methods, method) ? 'GET' : method;
    const action = Object.hasOwn(methods, wanted) ? methods[wanted] : undefined;
    if (action === undefined) return { kind: 'wrong-method', allow: Object.keys(methods).join(', ') };
    return { kind: 'found', action: action(decoded(match[1] ?? '')) };
  }
  return { kind: 'unknown' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
