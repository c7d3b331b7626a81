/** One HTTP request, its body whole or in chunks. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Absolute http(s) URL. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Chunks are asked for one at a time: the memory of one may be used again as soon as the next is asked for.
   * A SlipwayError that the chunks throw is what `send` throws.
   */
  readonly body: Buffer | AsyncIterable<Buffer> | null;
  /** Bytes of the body, exact. */
  readonly contentLength: number;
  readonly signal: AbortSignal;
  /** A larger answer is cut off with `answer_too_large`. */
  readonly maxResponseBytes: number;
  /**
   * An answer that is larger, trickles or breaks off is given as far as it was read instead: for whom only the status
   * counts.
   */
  readonly cutAnswer?: boolean;
}

/** An answer, its body read. Header names are lower-case; repeated headers are joined by `, `. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  /** It came before the last byte of the request was handed to the system: the far side cannot have read it all. */
  readonly early: boolean;
}
