import type { UploadedResult, UploadFailure } from '../../domain/attempt.ts';
import type { ErrorKind, SlipwayError } from '../../domain/errors.ts';
import type { SkipCode } from '../../domain/receipt.ts';

/** How a job ends, before it becomes an Outcome. */
export type JobEnd =
  | { readonly status: 'uploaded'; readonly result: UploadedResult }
  | { readonly status: 'skipped'; readonly code: SkipCode; readonly message: string }
  | {
      readonly status: 'failed';
      readonly code: string;
      readonly kind: ErrorKind;
      readonly message: string;
      readonly httpStatus: number | null;
    };

/** Failed for the reason the last attempt gave, or for one of our own (`crashed_worker`, `version_mismatch`). */
export function failedBy(reason: UploadFailure | SlipwayError): JobEnd {
  const { code, kind, message } = reason;
  return {
    status: 'failed',
    code,
    kind,
    message,
    httpStatus: 'httpStatus' in reason ? reason.httpStatus : null,
  };
}
