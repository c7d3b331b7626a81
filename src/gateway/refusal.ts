/** Why the door itself answers a request, before or instead of an upload. */
export interface RefusalFacts {
  readonly status: number;
  /** Machine-readable, stable. */
  readonly code: string;
  readonly message: string;
  /** The form field, header or parameter that is wrong; null: none in particular. */
  readonly param?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is answered by the door. Whatever shape the caller speaks, the status is the same. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor({ status, code, message, param = null, headers = {} }: RefusalFacts) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }
}

/** 400: the request itself is wrong. */
export function badRequest(code: string, message: string, param: string | null = null): Refusal {
  return new Refusal({ status: 400, code, message, param });
}

/** 413, naming the limit. */
export function tooLarge(limitBytes: number, whose: string, param: string | null = 'file'): Refusal {
  const message = `the file is larger than ${limitBytes} bytes, the most that ${whose} takes`;
  return new Refusal({ status: 413, code: 'file_too_large', message, param });
}

/** 415. */
export function unsupportedBody(message: string): Refusal {
  return new Refusal({ status: 415, code: 'unsupported_media_type', message, param: 'content-type' });
}

/** 503: come back in a while. */
export function overloaded(message: string, retryAfterSeconds: number): Refusal {
  const headers = { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) };
  return new Refusal({ status: 503, code: 'overloaded', message, headers });
}
