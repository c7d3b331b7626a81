import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type ControlContext, control } from '../apis/control-api.ts';
import type { Exchange } from './exchange.ts';
import { jsonReply } from './reply.ts';
import type { Routes } from './routes.ts';
import { type ServeContext, send, serve } from './serve.ts';

const NO_QUERY = new URLSearchParams();

/** Takes every request of one server: to its call, to the sandbox's own paths, or 404 / 405. */
export function requestDoor(
  routes: Routes,
  serving: ServeContext,
  controlling: ControlContext,
): RequestListener {
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { path, query } = pathAndQuery(req.url ?? '/');
    const exchange: Exchange = { req, query, params: [] };
    const match = routes.match(req.method ?? '', path);
    if (match.kind === 'call') return serve(match.call, { ...exchange, params: match.params }, res, serving);
    if (
      path.startsWith('/_') &&
      (await control(path, exchange, res, controlling, (reply) => send(res, reply, serving)))
    )
      return;
    if (match.kind === 'none')
      return send(res, jsonReply(404, { message: `no such path: ${path}` }), serving);
    send(res, jsonReply(405, { message: `${path} takes ${match.allow}` }, { Allow: match.allow }), serving);
  };
  return (req, res) => {
    answer(req, res).catch((error: unknown) => {
      send(res, jsonReply(500, { message: `the sandbox itself failed: ${String(error)}` }), serving);
    });
  };
}

function pathAndQuery(url: string): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?');
  if (mark === -1) return { path: url, query: NO_QUERY };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}
