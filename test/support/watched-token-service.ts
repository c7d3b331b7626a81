import { startHttpServer } from './http-server.ts';

export interface WatchedTokenService {
  readonly tokenUrl: string;
  /** Every token it has handed out, without `Bearer `: what must be found nowhere. */
  handedOut(): readonly string[];
}

/** Stands before a token service and remembers what passes. Closed with the test. */
export async function watchedTokenService(tokenUrl: string): Promise<WatchedTokenService> {
  const tokens = new Set<string>();
  const server = await startHttpServer(async ({ response }) => {
    const answer = await fetch(tokenUrl);
    const text = await answer.text();
    tokens.add(text.trim().replace(/^Bearer /i, ''));
    response.writeHead(answer.status, { 'content-type': 'text/plain' });
    response.end(text);
  });
  return { tokenUrl: `${server.origin}/get_token`, handedOut: () => [...tokens] };
}
