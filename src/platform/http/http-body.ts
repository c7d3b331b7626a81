/**
 * What a socket takes without waiting. At or above it undici asks for the next chunk only when this one has left our
 * memory; below it the chunk may still lie there, so it is copied before its memory is used again.
 */
export const SOCKET_BUFFER_BYTES = 64 * 1024;

const MAX_SLICE_BYTES = 512 * 1024;

/**
 * Hands a body to the socket in slices whose size follows the link. The idle time-out sees no progress inside a slice:
 * at 64 uploads over a slow uplink half a MiB each would look like a dead connection, so slices start at 64 KiB, grow
 * while they leave quickly and shrink when they do not.
 * @param idleTimeoutMs what counts as slow is a fraction of it
 * @param monotonicMs for measuring how long a slice took
 */
export async function* slicedBody(
  body: Buffer | AsyncIterable<Buffer>,
  idleTimeoutMs: number,
  monotonicMs: () => number,
): AsyncGenerator<Buffer, void, void> {
  const fastMs = idleTimeoutMs / 64;
  const slowMs = idleTimeoutMs / 8;
  let sliceBytes = SOCKET_BUFFER_BYTES;
  for await (const chunk of Buffer.isBuffer(body) ? [body] : body) {
    for (let offset = 0; offset < chunk.length; ) {
      const slice = chunk.subarray(offset, offset + sliceBytes);
      offset += slice.length;
      const handedAtMs = monotonicMs();
      yield slice.length < SOCKET_BUFFER_BYTES ? Buffer.from(slice) : slice;
      const tookMs = monotonicMs() - handedAtMs;
      if (tookMs < fastMs) sliceBytes = Math.min(MAX_SLICE_BYTES, sliceBytes * 2);
      else if (tookMs > slowMs) sliceBytes = Math.max(SOCKET_BUFFER_BYTES, sliceBytes / 2);
    }
  }
}
