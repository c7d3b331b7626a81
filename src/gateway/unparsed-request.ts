import { Refusal } from './refusal.ts';
import { openaiShape } from './shapes/openai.ts';

/** What is no HTTP is answered on the bare connection, which is closed. */
export function refuseUnparsed(error: NodeJS.ErrnoException, socket: import('node:net').Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'the headers are larger than 16 KiB']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'the headers did not come in time']
        : ['400 Bad Request', 'this is not a well-formed HTTP request'];
  const refusal = new Refusal({
    status: Number(status?.slice(0, 3)),
    code: 'bad_request',
    message: reason ?? '',
  });
  const body = JSON.stringify(openaiShape.refused(refusal).body);
  if (socket.writable) {
    socket.end(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
  setTimeout(() => socket.destroy(), 1_000).unref();
}
