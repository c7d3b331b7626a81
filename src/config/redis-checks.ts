import type { Mistake } from './issues.ts';

/** The three ways to a Redis of the user's own. */
const WAYS = ['url', 'sentinels', 'cluster'] as const;

/** What goes together under `redis`, and what does not. Works on the raw tree, as all cross-checks do. */
export function redisMistakes(redis: unknown): Mistake[] {
  if (typeof redis !== 'object' || redis === null || Array.isArray(redis)) return [];
  const tree = redis as Readonly<Record<string, unknown>>;
  const has = (key: string): boolean => (tree[key] ?? null) !== null && tree[key] !== '';
  const mistake = (key: string, message: string): Mistake => ({ path: ['redis', key], message });
  const given = WAYS.filter(has);
  const found: Mistake[] = given
    .slice(1)
    .map((key) => mistake(key, `goes not together with redis.${given[0]}: name Redis in one of them only`));
  const [way] = given;
  if (way === undefined) {
    for (const key of ['name', 'username', 'password', 'sentinelPassword', 'db', 'tls'])
      if (has(key))
        found.push(
          mistake(key, 'does nothing for the private Redis: set redis.url, redis.sentinels or redis.cluster'),
        );
    return found;
  }
  if (given.includes('sentinels') && !has('name'))
    found.push(
      mistake('name', 'is required with redis.sentinels: what they call the primary, such as mymaster'),
    );
  if (!given.includes('sentinels'))
    for (const key of ['name', 'sentinelPassword'])
      if (has(key)) found.push(mistake(key, 'goes with redis.sentinels: add those, or leave it out'));
  if (way === 'cluster' && has('db') && tree.db !== 0)
    found.push(mistake('db', 'is more than a Cluster has: it knows database 0 alone; leave it out'));
  return [...found, ...(way === 'url' ? urlMistakes(String(tree.url), tree, has, mistake) : [])];
}

/** A URL says some of it too. The URL is never quoted: a password may be in it. */
function urlMistakes(
  url: string,
  tree: Readonly<Record<string, unknown>>,
  has: (key: string) => boolean,
  mistake: (key: string, message: string) => Mistake,
): Mistake[] {
  const found: Mistake[] = [];
  const authority = /^rediss?:\/\/([^/?#]*)@/.exec(url)?.[1];
  if (authority !== undefined)
    for (const key of ['username', 'password'])
      if (has(key)) found.push(mistake(key, 'is in redis.url as well: leave it out there, or here'));
  if (has('tls') && !url.startsWith('rediss://'))
    found.push(mistake('tls', 'needs TLS: begin redis.url with rediss://, or leave it out'));
  const inUrl = /^rediss?:\/\/[^/]*\/(\d+)$/.exec(url)?.[1] ?? /^unix:.*[?&]db=(\d+)/.exec(url)?.[1];
  if (has('db') && inUrl !== undefined && Number(inUrl) !== tree.db)
    found.push(mistake('db', 'is another one than in redis.url: leave it out there, or here'));
  return found;
}
