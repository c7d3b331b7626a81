import type { WebhookEvent } from '../../domain/delivery.ts';

export interface HttpTarget {
  readonly kind: 'http';
  readonly url: string;
  readonly secrets: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** What its answers may hold and nobody may read, besides the secrets and values of headers. */
  readonly neverShown?: readonly string[];
}

export interface CommandTarget {
  readonly kind: 'command';
  /** Program and arguments. */
  readonly command: readonly string[];
}

/** Who is told, resolved. */
export interface Endpoint {
  readonly name: string;
  readonly target: HttpTarget | CommandTarget;
  readonly events: readonly WebhookEvent[];
  /** null: file events go one by one. `maxWait`: milliseconds. */
  readonly batch: { readonly maxItems: number; readonly maxWait: number } | null;
  readonly concurrency: number;
  readonly timeoutMs: number;
}

/** As it may be shown: of a URL only the origin, of a command only the program (G5). */
export function shownTarget({ target }: Endpoint): string {
  return target.kind === 'http' ? new URL(target.url).origin : (target.command[0] ?? '');
}
