/** Takes bytes off a stream in pieces of any size. */
export interface ByteReader {
  /** Bytes taken so far. */
  readonly position: number;
  /** The next bytes, left where they are; fewer at the end, or where the stream breaks. */
  peek(bytes: number): Promise<Buffer>;
  /** @throws what broke the stream, or that it is cut off */
  take(bytes: number): Promise<Buffer>;
  /** So many bytes as they come. Throws as `take` does, once what is there has been given. */
  chunks(bytes: number): AsyncGenerator<Buffer>;
  /** Why there is no more than what is left to take; null: it just ends. Known once `peek` has given too little. */
  failure(): unknown;
  close(): Promise<void>;
}

/** What is there is given before what went wrong behind it is thrown. */
export function createByteReader(stream: AsyncIterable<Buffer>): ByteReader {
  const source = stream[Symbol.asyncIterator]();
  let buffer: Buffer = Buffer.alloc(0);
  let position = 0;
  let ended = false;
  let failure: unknown = null;

  async function more(): Promise<boolean> {
    if (ended) return false;
    try {
      const next = await source.next();
      if (next.done !== true) {
        buffer = buffer.length === 0 ? next.value : Buffer.concat([buffer, next.value]);
        return true;
      }
    } catch (error) {
      failure = error;
    }
    ended = true;
    return false;
  }

  function given(bytes: number): Buffer {
    const piece = buffer.subarray(0, bytes);
    buffer = buffer.subarray(piece.length);
    position += piece.length;
    return piece;
  }

  function cut(): unknown {
    return failure ?? new Error(`it is cut off at byte ${position}`);
  }

  return {
    get position() {
      return position;
    },

    async peek(bytes) {
      while (buffer.length < bytes && (await more()));
      return buffer.subarray(0, bytes);
    },

    async take(bytes) {
      while (buffer.length < bytes && (await more()));
      if (buffer.length < bytes) throw cut();
      return given(bytes);
    },

    async *chunks(bytes) {
      for (let left = bytes; left > 0; ) {
        if (buffer.length === 0 && !(await more())) throw cut();
        const piece = given(left);
        left -= piece.length;
        if (piece.length > 0) yield piece;
      }
    },

    failure: () => failure,

    async close() {
      ended = true;
      await source.return?.(undefined);
    },
  };
}
