/**
 * The far side of every run: a token service and a strict upload API as light as one can be in Node (plain sockets, no
 * HTTP library), so that what is compared are the clients. One process of its own; its parent asks it over IPC.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { refusalOf, TOKEN, TOKEN_PATH, UPLOAD_PATH } from './autoglm-api.ts';
import { FormCheck } from './form-check.ts';

/** What arrived since the last reset. Times are epoch milliseconds with fractions. */
export interface ServerStats {
  uploads: number;
  refused: number;
  /** The first reason for a refusal. */
  problem: string | null;
  firstAtMs: number;
  lastAtMs: number;
  /** Uploads under way, the most at once. */
  mostInFlight: number;
  bodyBytes: number;
  /** Microseconds of processor time since the last reset. */
  cpuMicros: number;
}

export type ServerCommand = 'stats' | 'reset';

const HEAD_END = Buffer.from('\r\n\r\n');
const MAX_HEAD_BYTES = 16 * 1024;

let stats = emptyStats();
let inFlight = 0;
let resetUsage = process.cpuUsage();

function emptyStats(): ServerStats {
  return {
    uploads: 0,
    refused: 0,
    problem: null,
    firstAtMs: 0,
    lastAtMs: 0,
    mostInFlight: 0,
    bodyBytes: 0,
    cpuMicros: 0,
  };
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

interface Upload {
  readonly refusal: string | null;
  readonly check: FormCheck;
  /** Bytes of the body still to come. */
  left: number;
}

/** One connection: requests one after the other, bodies never held. */
function serve(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let upload: Upload | null = null;
  let closing = false;

  function take(data: Buffer): void {
    let bytes = rest.length === 0 ? data : Buffer.concat([rest, data]);
    rest = Buffer.alloc(0);
    while (bytes.length > 0 && !closing) {
      if (upload === null) {
        const end = bytes.indexOf(HEAD_END);
        if (end === -1) {
          rest = bytes;
          if (rest.length > MAX_HEAD_BYTES) socket.destroy();
          return;
        }
        upload = begin(bytes.toString('latin1', 0, end));
        bytes = bytes.subarray(end + HEAD_END.length);
        if (upload === null) continue;
      }
      const part = bytes.subarray(0, upload.left);
      upload.check.push(part);
      upload.left -= part.length;
      bytes = bytes.subarray(part.length);
      if (upload.left > 0) return;
      finish(upload);
      upload = null;
    }
  }

  /** @returns the upload whose body follows; null for a request that is answered already */
  function begin(head: string): Upload | null {
    const [request = '', ...lines] = head.split('\r\n');
    const [method, path] = request.split(' ');
    if (method === 'GET' && path === TOKEN_PATH) {
      answer('200 OK', 'text/plain', TOKEN);
      return null;
    }
    const headers = new Map(lines.map(headerOf));
    const boundary = /^multipart\/form-data;\s*boundary="?([^";]+)"?$/i.exec(
      headers.get('content-type') ?? '',
    );
    const length = Number(headers.get('content-length') ?? Number.NaN);
    if (method !== 'POST' || path !== UPLOAD_PATH || !Number.isSafeInteger(length) || length === 0) {
      refused('no upload with a Content-Length');
      closing = true;
      socket.end('HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return null;
    }
    if (stats.firstAtMs === 0) stats.firstAtMs = nowMs();
    inFlight += 1;
    stats.mostInFlight = Math.max(stats.mostInFlight, inFlight);
    stats.bodyBytes += length;
    if (headers.get('expect') === '100-continue') socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    const refusal = refusalOf(headers) ?? (boundary === null ? 'no multipart/form-data' : null);
    return { refusal, check: new FormCheck(boundary?.[1] ?? ''), left: length };
  }

  function finish({ refusal, check }: Upload): void {
    inFlight -= 1;
    const form = check.finish();
    const problem = refusal ?? ('problem' in form ? form.problem : null);
    if (problem !== null) {
      refused(problem);
      answer('200 OK', 'application/json', JSON.stringify({ code: 400003, msg: problem, data: null }));
      return;
    }
    const filename = 'filename' in form ? form.filename : '';
    const id = `auto_fly/${randomUUID()}/${filename}`;
    const file = { filename, oss_name: id, oss_url: `https://autoglm-agent.aminer.cn/${id}` };
    const data = { message: '', oss_info: [file] };
    const trace = randomUUID().replaceAll('-', '');
    answer(
      '200 OK',
      'application/json',
      JSON.stringify({ code: 0, msg: 'SUCCESS', time: Date.now(), trace, data }),
    );
    stats.uploads += 1;
    stats.lastAtMs = nowMs();
  }

  function answer(status: string, type: string, body: string): void {
    const length = Buffer.byteLength(body);
    socket.write(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${body}`);
  }

  function refused(problem: string): void {
    stats.refused += 1;
    stats.problem ??= problem;
  }

  socket.setNoDelay(true);
  socket.on('data', take);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    if (upload !== null) inFlight -= 1;
  });
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
process.on('message', (command: ServerCommand) => {
  if (command === 'reset') {
    stats = emptyStats();
    resetUsage = process.cpuUsage();
  }
  const { user, system } = process.cpuUsage(resetUsage);
  stats.cpuMicros = user + system;
  process.send?.(stats);
});
process.on('disconnect', () => process.exit());
