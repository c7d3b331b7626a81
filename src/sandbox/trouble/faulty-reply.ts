import { type ApiManners, jsonReply, type Reply, textReply } from '../http/reply.ts';
import type { FaultRule } from './fault-rule.ts';

const HTML_PAGE =
  '<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n';

/**
 * The answer a fault asks for.
 * @param real the true answer, for the faults that spoil it
 */
export function faultyReply(fault: FaultRule, real: Reply | null, manners: ApiManners | null): Reply {
  switch (fault.action) {
    case '401':
    case '500':
    case '503':
      return statusReply(Number(fault.action));
    case 'store-then-500':
      return statusReply(500);
    case 'status':
      return statusReply(fault.status);
    case '429': {
      const headers = fault.retryAfter === undefined ? {} : { 'Retry-After': String(fault.retryAfter) };
      return { ...statusReply(429), headers };
    }
    case 'redirect':
      return { ...textReply(fault.status, ''), headers: { Location: fault.location } };
    case 'html':
      return { status: fault.status, contentType: 'text/html; charset=utf-8', body: HTML_PAGE };
    case 'truncated-json': {
      const body = real === null ? '{' : String(real.body);
      // Cut between characters, so that only the JSON is broken.
      return {
        ...(real ?? jsonReply(200, {})),
        body: body.slice(0, Math.max(1, Math.floor(body.length / 2))),
      };
    }
    case 'huge-json':
      return padded(real ?? jsonReply(200, {}), fault.bytes);
    case 'code':
      return (
        manners?.coded(fault) ?? jsonReply(fault.status ?? 200, { code: fault.code, msg: fault.message })
      );
    default:
      return textReply(200, '');
  }
}

function statusReply(status: number): Reply {
  return jsonReply(status, {
    error: {
      message: `fault on request: HTTP ${status}`,
      type: 'sandbox',
      param: null,
      code: String(status),
    },
  });
}

/** The same JSON object with one more property of `bytes` characters. */
function padded(reply: Reply, bytes: number): Reply {
  const text = String(reply.body).trimEnd();
  const object = text.startsWith('{') && text.length > 2 ? `${text.slice(0, -1)},` : '{';
  return { ...reply, body: `${object}"padding":"${'x'.repeat(bytes)}"}` };
}
