import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Writes these bytes to a server and reads until it closes: no HTTP client in between that would repair or refuse
 * them. Ask for `Connection: close`. Rejects with ECONNRESET when the server resets.
 */
export async function rawRequest(origin: string, pieces: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  const answer: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => answer.push(chunk));
  const ended = once(socket, 'end');
  try {
    for (const piece of pieces) socket.write(piece);
    await ended;
  } finally {
    socket.destroy();
  }
  return parseAnswer(Buffer.concat(answer));
}

function parseAnswer(bytes: Buffer): RawAnswer {
  const split = bytes.indexOf('\r\n\r\n');
  if (split === -1) throw new Error(`no HTTP answer, but ${bytes.length} bytes`);
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, split).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines)
    headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 1).trim();
  return { status: Number(statusLine.split(' ')[1]), headers, body: bytes.toString('utf8', split + 4) };
}
