/** What servers, and what stands before them, answer in the wild: each row once, for every way a file takes. */
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { EXIT, type ExitCode } from '../../src/cli/exit-codes.ts';
import type { Visit } from './http-server.ts';

/** Whose fault an answer is; from that follows what becomes of the files. */
export type Fault = 'nobody' | 'file' | 'destination' | 'outage' | 'throttled';

/** How a command ends for it. */
export const EXIT_OF_FAULT: Readonly<Record<Fault, ExitCode>> = {
  nobody: EXIT.ok,
  file: EXIT.permanent,
  destination: EXIT.stopped,
  outage: EXIT.temporary,
  throttled: EXIT.temporary,
};

export interface HostileRow {
  readonly what: string;
  readonly fault: Fault;
  /** What the receipt, or the reason of the stop, says. */
  readonly says: RegExp;
  /** @param good JSON of the answer that this call would have got */
  answer(visit: Visit, good: string): void | Promise<void>;
  /** Answers before the body is read. */
  readonly early?: true;
  /** Tries before it is believed, where one is not enough. */
  readonly tries?: number;
}

type Headers = Record<string, string>;

const JSON_TYPE = { 'content-type': 'application/json' };
const HTML_TYPE = { 'content-type': 'text/html; charset=utf-8' };

function page(status: number, title: string, headers: Headers = {}): HostileRow['answer'] {
  return ({ response }) => {
    response.writeHead(status, { ...HTML_TYPE, ...headers });
    response.end(`<!doctype html><html><head><title>${title}</title></head><body>…</body></html>`);
  };
}

function json(status: number, body: unknown, headers: Headers = {}): HostileRow['answer'] {
  return ({ response }) => {
    response.writeHead(status, { ...JSON_TYPE, ...headers });
    response.end(JSON.stringify(body));
  };
}

function text(
  status: number,
  body: string | Buffer,
  type = 'text/plain; charset=utf-8',
): HostileRow['answer'] {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': type });
    response.end(body);
  };
}

function coded(coding: string, encode: (text: string) => Buffer): HostileRow['answer'] {
  return ({ response }, good) => {
    response.writeHead(200, { ...JSON_TYPE, 'content-encoding': coding });
    response.end(encode(good));
  };
}

const error = (message: string, code?: string): object => ({
  error: { message, ...(code === undefined ? {} : { code }) },
});
const QUOTA = 'You have exceeded your file storage quota.';

/** The reply of a server that speaks GBK: 文件不可用 */
const GBK = Buffer.from([0xce, 0xc4, 0xbc, 0xfe, 0xb2, 0xbb, 0xbf, 0xc9, 0xd3, 0xc3]);

const accepted = (what: string, answer: HostileRow['answer']): HostileRow => ({
  ...{ what, answer, fault: 'nobody', says: /^$/ },
});
const of =
  (fault: Fault) =>
  (what: string, answer: HostileRow['answer'], says: RegExp, more: Partial<HostileRow> = {}): HostileRow => ({
    ...{ what, answer, fault, says },
    ...more,
  });
const outage = of('outage');
const file = of('file');
const destination = of('destination');
const throttled = of('throttled');

export const HOSTILE_ROWS: readonly HostileRow[] = [
  accepted(
    'gzip',
    coded('gzip', (good) => gzipSync(good)),
  ),
  accepted(
    'deflate',
    coded('deflate', (good) => deflateSync(good)),
  ),
  accepted(
    'br',
    coded('br', (good) => brotliCompressSync(good)),
  ),
  accepted(
    'zstd',
    coded('zstd', (good) => zstdCompressSync(good)),
  ),
  accepted('103 Early Hints before it', ({ response, json: reply }, good) => {
    response.writeEarlyHints({ link: '</x.css>; rel=preload' });
    reply(200, JSON.parse(good));
  }),
  accepted('a byte order mark before the JSON', ({ response }, good) => {
    response.writeHead(200, JSON_TYPE).end(`\uFEFF${good}`);
  }),

  outage('a login page with status 200', page(200, 'Sign in'), /HTTP 200.*text\/html.*Sign in/),
  outage('a page of a firewall with status 403', page(403, 'Request blocked'), /403.*Request blocked/),
  outage('a challenge with status 503', page(503, 'Just a moment...'), /503.*Just a moment/),
  outage('text with status 200', text(200, 'OK'), /HTTP 200.*text\/plain.*OK/),
  outage('JSON of another shape', json(200, { ok: true }), /HTTP 200/),
  outage('JSON that is no object', json(200, []), /HTTP 200/),
  outage('an empty 200', text(200, ''), /HTTP 200/),
  outage('204', ({ response }) => void response.writeHead(204).end(), /HTTP 204/),
  outage(
    'half an answer',
    ({ response }, good) => {
      response.writeHead(200, JSON_TYPE).end(good.slice(0, -4));
    },
    /HTTP 200/,
  ),
  outage('a connection that breaks', ({ request }) => void request.socket.resetAndDestroy(), /connection/),
  outage(
    'compressed bytes that are none',
    ({ response }) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' });
      response.end(gzipSync('not what this API says').subarray(0, 20));
    },
    /gzip|decode|compressed|HTTP 200/,
  ),
  outage(
    'a redirect to a login page',
    page(302, 'Found', { location: 'https://portal.example/login?next=1' }),
    /302.*https:\/\/portal\.example\/login/,
  ),
  outage('500 of the API', json(500, error('it broke')), /it broke/),
  outage('502 of a gateway', page(502, 'Bad Gateway'), /502.*Bad Gateway/),
  outage('503', json(503, error('not now')), /not now/),
  outage(
    'an answer that drips',
    ({ response }) => {
      response.writeHead(200, JSON_TYPE);
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    },
    /no answer within|timeout/,
  ),

  file('400 of the API', json(400, error('cannot be parsed')), /cannot be parsed/),
  file('413 of nginx', page(413, '413 Request Entity Too Large'), /413/),
  file('415 as text', text(415, 'type not taken'), /415|type not taken/),
  file(
    '422 of FastAPI',
    json(422, { detail: [{ loc: ['body', 'file'], msg: 'field required' }] }),
    /body\.file: field required/,
  ),
  file(
    '400 of Django REST',
    json(400, { file: ['The submitted file is empty.'] }),
    /file: The submitted file is empty/,
  ),
  file(
    'problem+json',
    json(
      422,
      { title: 'Unprocessable', detail: 'pages missing' },
      { 'content-type': 'application/problem+json' },
    ),
    /Unprocessable: pages missing/,
  ),
  file('a list of errors', json(400, { errors: [{ message: 'bad page' }] }), /bad page/),
  file('415 in GBK', text(415, GBK, 'text/plain; charset=gbk'), /文件不可用/),

  destination('401', json(401, error('who are you')), /./, { tries: 2 }),
  destination('402', json(402, error('pay first')), /pay first/),
  destination('403 of the API', json(403, error('no right')), /no right/),
  destination('404', json(404, error('no such route')), /no such route.*check url/),
  destination('405', text(405, 'Method Not Allowed'), /405.*check url/),
  destination('410', json(410, error('gone')), /gone/),
  destination(
    'a permanent redirect',
    page(301, 'Moved', { location: '/v2/files' }),
    /set url to http.*\/v2\/files/,
  ),
  destination(
    '307 to the same path with a slash',
    ({ request, response }) => {
      response.writeHead(307, { location: `${request.url}/` }).end();
    },
    /set url to http/,
  ),
  destination('a full account', json(400, error(QUOTA)), /exceeded your file storage quota/),

  throttled('429', json(429, error('slow down')), /slow down/),
  throttled(
    '429 with a long Retry-After',
    json(429, error('slow down'), { 'retry-after': '3600' }),
    /slow down/,
  ),
];

/** What the destination of the rows takes for what. */
export const HOSTILE_RULES = [
  { messagePattern: 'exceeded your file storage quota', kind: 'exhausted', hint: 'delete files' },
];
