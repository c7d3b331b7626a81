/** The Redis of an installation, as `redis` in its configuration names it. */
export interface RedisPlace extends RedisServers {
  /** First part of every key. */
  readonly prefix: string;
}

/** The user's Redis, reached in one of three ways; none of them: the private one of the data folder. */
export interface RedisServers {
  readonly url: string | null;
  /** `host:port` of the Sentinels that know the primary of that `name`. */
  readonly sentinels?: readonly string[] | null;
  readonly name?: string | null;
  /** `host:port` of some nodes of a Cluster. */
  readonly cluster?: readonly string[] | null;
  readonly username?: string | null;
  readonly password?: string | null;
  readonly sentinelPassword?: string | null;
  readonly db?: number | null;
  readonly tls?: RedisTls | null;
}

/** How TLS is spoken. Paths are absolute. */
export interface RedisTls {
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly servername: string | null;
}

/** Whether Slipway runs a Redis of its own. */
export function isPrivate({ url, sentinels, cluster }: RedisServers): boolean {
  return url === null && (sentinels ?? null) === null && (cluster ?? null) === null;
}
