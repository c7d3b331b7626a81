import type { UploadErrorKind } from '../../domain/errors.ts';
import type { Rate } from '../../pacing/known-quota.ts';
import type { ConcurrencyOptions } from '../../pacing/options.ts';
import type { JsonPointer } from '../../platform/files/json-pointer.ts';
import type { DestinationLimits } from '../destination.ts';
import type { TokenSource } from '../token/token-options.ts';
import type { FileNames } from './sent-name.ts';

export type Scalar = string | number | boolean | null;

/** The signature of one request, or none. */
export type Signer =
  | { readonly kind: 'none' }
  | { readonly kind: 'md5-appid'; readonly appid: string; readonly key: string };

/** Which HTTP statuses can be a success. */
export type AcceptedStatus = '2xx' | 'any' | readonly number[];

export interface SuccessTest {
  readonly status: AcceptedStatus;
  readonly equals: readonly (readonly [pointer: JsonPointer, value: Scalar])[];
  readonly nonEmpty: readonly JsonPointer[];
}

/** Where things are in an answer: of several pointers the first hit wins. */
export interface AnswerPointers {
  readonly url: readonly JsonPointer[];
  readonly urlTail: readonly JsonPointer[];
  readonly id: readonly JsonPointer[];
  readonly expiresAt: readonly JsonPointer[];
  readonly bytes: readonly JsonPointer[];
  readonly message: readonly JsonPointer[];
  readonly code: readonly JsonPointer[];
  readonly type: readonly JsonPointer[];
  readonly trace: readonly JsonPointer[];
  /** Lower-case. */
  readonly traceHeader: string | null;
  readonly codeIsHttpStatus: boolean;
}

/** One row of the error table. A null condition is not asked; every other one must hold. */
export interface ErrorRule {
  readonly status: readonly number[] | null;
  /** As text: some services send 1302, others "1302". */
  readonly code: readonly string[] | null;
  readonly codePattern: RegExp | null;
  readonly typePattern: RegExp | null;
  readonly messagePattern: RegExp | null;
  readonly kind: UploadErrorKind;
  /** The signature was refused, which a wrong clock explains. */
  readonly clock: boolean;
  readonly hint: string | null;
}

/** How to see whether an uploaded file can be used. */
export interface ReadinessPlan {
  /** Holds `{id}`. */
  readonly url: string;
  readonly status: readonly JsonPointer[];
  readonly ready: readonly string[];
  readonly failed: readonly string[];
  readonly intervalMs: number;
  readonly deadlineMs: number;
  /** Looks per second at all files of the destination together. */
  readonly perSecond: number;
}

/** How a file too large for one request is sent (OpenAI Uploads): announced, in parts, put together. */
export interface PartsPlan {
  /** A larger file goes in parts. */
  readonly aboveBytes: number;
  readonly maxBytes: number;
  readonly partBytes: number;
  /** Parts of one file under way at once. */
  readonly atOnce: number;
  /** From the announcement on; null: no end. */
  readonly lifetimeMs: number | null;
  readonly create: {
    readonly url: string;
    /** Names of JSON members. */
    readonly bytes: string;
    readonly filename: string;
    readonly contentType: string;
    /** Text fields that are numbers in JSON. */
    readonly numbers: readonly string[];
    readonly id: readonly JsonPointer[];
  };
  /** Its URL, and those below, hold `{upload}`. */
  readonly part: { readonly url: string; readonly field: string; readonly id: readonly JsonPointer[] };
  readonly complete: {
    readonly url: string;
    /** Names of JSON members. */
    readonly partIds: string;
    readonly md5: string | null;
    /** Where the answer holds what a plain upload answers. */
    readonly file: JsonPointer;
  };
  /** null: an upload that is given up cannot be taken back. */
  readonly cancel: { readonly url: string } | null;
}

export type RemoteCallName = 'list' | 'get' | 'remove' | 'content';

/** One call about files that are there already; its URL may hold `{id}`. */
export interface RemoteCall {
  readonly method: 'GET' | 'DELETE' | 'POST';
  readonly url: string;
}

/** A destination with nothing left to decide: preset, region, params and overrides put together, frozen. */
export interface DestinationDefinition {
  readonly name: string;
  readonly preset: string | null;
  readonly method: 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fileField: string;
  readonly fileNames: FileNames;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Text field → values it may have (empty: any). null: nothing is known of what it takes. */
  readonly allowedFields: Readonly<Record<string, readonly string[]>> | null;
  readonly auth: { readonly header: string; readonly scheme: string | null };
  readonly token: TokenSource | null;
  readonly signer: Signer;
  readonly success: SuccessTest;
  readonly answer: AnswerPointers;
  readonly errors: readonly ErrorRule[];
  readonly limits: DestinationLimits;
  /** What the API has for files that are there; only calls to where uploads go, for the token travels along. */
  readonly calls: Readonly<Partial<Record<RemoteCallName, RemoteCall>>>;
  /** null unless `waitUntilReady` was asked for. */
  readonly readiness: ReadinessPlan | null;
  /** null: every file goes in one request. */
  readonly parts: PartsPlan | null;
  readonly ref: string | null;
  readonly visibility: 'public' | 'private' | 'unknown';
  readonly acknowledgePublic: boolean;
  /** null: `worker.concurrency` holds. */
  readonly concurrency: ConcurrencyOptions | null;
  /** Quota of uploads; null: none known. */
  readonly rate: Rate | null;
  /** Configured values, of whatever destination, that its answers may hold and nobody may read. */
  readonly secrets: readonly string[];
}
