import type { ApiName } from '../trouble/fault-rule.ts';

/** One stored file: everything about it but its content. */
export interface ReceivedFile {
  /** 1, 2, 3 … since the sandbox opened. */
  readonly seq: number;
  readonly api: ApiName;
  /** What the API called it: `oss_name` or the file id. */
  readonly id: string;
  readonly url: string | null;
  readonly field: string;
  /** As sent, nothing decoded. */
  readonly filename: string;
  readonly contentType: string | null;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Text fields sent beside it. */
  readonly fields: Readonly<Record<string, string>>;
  /** The request headers that matter; of Authorization the scheme only, of the signature that it was there. */
  readonly headers: Readonly<Record<string, string>>;
  /** ISO time. */
  readonly receivedAt: string;
  /** How many times this content had arrived whole at this API by then, stored or not. */
  readonly attempt: number;
}

export interface ReceivedSummary {
  /** Files stored, and their bytes. */
  readonly count: number;
  readonly bytes: number;
  /** Stored files whose content the same API had stored before. */
  readonly repeated: number;
  /** Requests to the APIs, the token service included. */
  readonly requests: number;
  readonly uploadsInFlight: number;
  readonly maxUploadsInFlight: number;
  /** Bodies broken off by the client. */
  readonly brokenOff: number;
  /** Faults that struck, by action. */
  readonly faults: Readonly<Record<string, number>>;
  /** Refusals by `<api> <reason>`. */
  readonly refused: Readonly<Record<string, number>>;
  readonly byApi: Readonly<Record<string, { readonly count: number; readonly bytes: number }>>;
}
