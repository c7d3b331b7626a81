import { createConnection } from 'node:net';

/**
 * What listens on a socket.
 * - `absent`: nobody (no file, or a file left behind)
 * - `silent`: it accepts connections and says nothing in time
 * - `loading`: it reads its data back
 * - `ready`: it answers
 */
export type SocketState = 'absent' | 'silent' | 'loading' | 'ready';

/** An answer is one line or one bulk string; longer than this is not a Redis. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Anything else (EAGAIN: its backlog is full) means that somebody is there. */
const NOBODY_LISTENS: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ENOTSOCK']);

type Answer = { readonly kind: 'answer'; readonly text: string } | { readonly kind: 'absent' | 'silent' };

/** Asks once. A client library would retry, negotiate and wait here, where each state must be told apart. */
export async function probeRedisSocket(path: string, timeoutMs: number): Promise<SocketState> {
  const answer = await ask(path, 'PING', timeoutMs);
  if (answer.kind !== 'answer') return answer.kind;
  return answer.text.startsWith('-LOADING') ? 'loading' : 'ready';
}

/** Pid of the server behind a socket, null when it does not tell. */
export async function redisServerPid(path: string, timeoutMs: number): Promise<number | null> {
  const answer = await ask(path, 'INFO server', timeoutMs);
  if (answer.kind !== 'answer') return null;
  const pid = /^process_id:(\d+)/m.exec(answer.text)?.[1];
  return pid === undefined ? null : Number(pid);
}

/** Asks the server to save and leave; it closes the connection instead of answering, so any end will do. */
export async function requestRedisShutdown(path: string, timeoutMs: number): Promise<void> {
  await ask(path, 'SHUTDOWN', timeoutMs);
}

function ask(path: string, command: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    let text = '';
    let connected = false;
    const finish = (answer: Answer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish({ kind: 'silent' }), timeoutMs);
    socket.on('connect', () => {
      connected = true;
      socket.write(`${command}\r\n`);
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (isWhole(text) || text.length > MAX_ANSWER_BYTES) finish({ kind: 'answer', text });
    });
    // Closed before it answered: it is on its way out, the next look will find it gone.
    socket.on('close', () => finish({ kind: 'silent' }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const nobody = NOBODY_LISTENS.has(error.code ?? '');
      finish({ kind: connected || !nobody ? 'silent' : 'absent' });
    });
  });
}

/** RESP2: `+`, `-` and `:` are one line; `$n` is followed by n bytes and CRLF. */
function isWhole(text: string): boolean {
  const lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) return false;
  if (!text.startsWith('$')) return true;
  return text.length >= lineEnd + 2 + Number(text.slice(1, lineEnd)) + 2;
}
