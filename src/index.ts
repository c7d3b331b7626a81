/** Slipway as a library (docs/library.md). */
export type { ErrorCode, ErrorKind } from './domain/errors.ts';
export { SlipwayError } from './domain/errors.ts';
export type { Receipt, ReceiptError, ReceiptStatus } from './domain/receipt.ts';
export type {
  Slipway,
  SlipwayConfig,
  SlipwayEvents,
  SlipwayOptions,
  UploadFileOptions,
  UploadFileResponse,
} from './gateway/library/create-slipway.ts';
export { createSlipway } from './gateway/library/create-slipway.ts';
export type { UploadFileData, UploadFileInput } from './gateway/library/upload-input.ts';
