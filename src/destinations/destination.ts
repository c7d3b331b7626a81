import type { AcceptedFile, UploadFailure } from '../domain/attempt.ts';
import type { SentName } from './definition/sent-name.ts';

/**
 * One HTTP request with its credentials, ready but for the body. Header values are checked: an invalid one wedges a
 * bounded pool.
 */
export interface AuthorizedRequest {
  readonly method: 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Which reading of the token this request carries; 0 without a token. */
  readonly tokenGeneration: number;
  /** True for the first request with this reading: its refusal cannot be blamed on the token's age. */
  readonly tokenFirstUse?: boolean;
  /** Which correction of the clock the signature was made with; 0 before the first. */
  readonly clockGeneration?: number;
}

/** The upload of one file in one request, ready but for the file part. */
export interface PreparedRequest extends AuthorizedRequest {
  /** Text parts, in the order in which they are sent, all before the file. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly fileField: string;
}

/** The far side's answer, its body read and bounded. Header names are lower-case. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  /** It came before the last byte of the request had left: a success then says nothing of bytes nobody saw (G2). */
  readonly early?: boolean;
}

export type Verdict =
  | {
      readonly kind: 'uploaded';
      readonly accepted: AcceptedFile;
      /** Size the far side says it stored; null or absent when it does not say. */
      readonly remoteBytes?: number | null;
    }
  | { readonly kind: 'failed'; readonly failure: UploadFailure };

/** What is checked before a byte is sent (contract §6). null: no limit known. */
export interface DestinationLimits {
  readonly maxBytes: number | null;
  readonly minBytes: number | null;
  /** Lower-case, with the dot. */
  readonly extensions: readonly string[] | null;
}

/** One call of an upload in parts. */
export type PartsCall =
  | {
      readonly step: 'create';
      readonly file: { readonly name: string; readonly bytes: number; readonly contentType: string };
    }
  /** Sent as multipart/form-data with the part's bytes as its only field. */
  | { readonly step: 'part'; readonly uploadId: string }
  | {
      readonly step: 'complete';
      readonly uploadId: string;
      /** In the order of the file. */
      readonly partIds: readonly string[];
      /** Hex, of the whole file; sent where the API compares it. */
      readonly md5: string;
    }
  | { readonly step: 'cancel'; readonly uploadId: string };

/** A call with its credentials. */
export interface PreparedCall extends AuthorizedRequest {
  /** The body; null for a part, whose body is its bytes. */
  readonly json: string | null;
}

/** Sends a file that is too large for one request in parts (OpenAI Uploads). */
export interface PartTransfer {
  /** A larger file goes in parts. */
  readonly aboveBytes: number;
  readonly partBytes: number;
  /** Parts of one file under way at once. */
  readonly atOnce: number;
  /** How long the far side keeps an unfinished upload, from `create` on; null: no end known. */
  readonly lifetimeMs: number | null;
  /** Form field of a part. */
  readonly partField: string;
  readonly cancels: boolean;
  /** As `Destination.authorize`, for one call. */
  authorize(call: PartsCall, signal: AbortSignal): Promise<PreparedCall>;
  /**
   * What an answer means. For `create` and `part` the id that it gives stands in `accepted.fileId`; the verdict on
   * `complete` is the one on the file.
   */
  judge(call: PartsCall, answer: Answer, request: AuthorizedRequest): Verdict;
}

/** A configured file API as the upload room sees it. */
export interface Destination {
  readonly name: string;
  /** `public`: anyone who has the URL can read the file. */
  readonly visibility: 'public' | 'private' | 'unknown';
  /** Origin only, for people and logs. */
  readonly origin: string;
  /** True when the host is this machine. */
  readonly loopback: boolean;
  readonly limits: DestinationLimits;
  /** How a base name travels to it. */
  sentName(name: string): SentName;
  /** For files beyond what one request may carry; null: every file goes in one. */
  readonly parts: PartTransfer | null;

  /**
   * Token (cached, single flight) and signature for one request, computed now.
   * Costs no attempt. Throws SlipwayError `token_*` when there is no usable token.
   * @param file fills `{filename}` and `{extension}` of text fields (base name); without it both are empty
   */
  authorize(signal: AbortSignal, file?: { readonly name: string }): Promise<PreparedRequest>;

  /**
   * What an answer means: pure.
   * @param request the one that was answered: what it carried is taken out of messages and `remote`
   */
  judge(answer: Answer, request?: AuthorizedRequest): Verdict;

  /** Told of every success, so that later refusals are not held against the credentials. */
  accepted(request: AuthorizedRequest): void;

  /**
   * Told of every refusal. `again`: something about the credentials or the clock was mended, send once more at no
   * cost; else the failure that stands, possibly a harder one (`misconfigured`).
   */
  reconsider(failure: UploadFailure, request: AuthorizedRequest, answer: Answer): 'again' | UploadFailure;

  /** Releases what it holds (watched token file, timers). */
  close(): Promise<void>;
}
