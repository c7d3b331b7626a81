import type { DestinationLimits } from '../destinations/destination.ts';
import type { SkipCode } from '../domain/receipt.ts';
import { formatBytes } from '../platform/units.ts';

export interface PreflightRefusal {
  readonly code: SkipCode;
  readonly message: string;
}

/**
 * What the destination is known to refuse is not sent at all. Null: nothing speaks against it. Without documented
 * limits everything is sent, an empty file too.
 * @param size bytes
 */
export function preflight(
  file: { readonly path: string; readonly size: number },
  limits: DestinationLimits,
): PreflightRefusal | null {
  const { maxBytes, minBytes, extensions } = limits;
  if (maxBytes !== null && file.size > maxBytes) {
    return {
      code: 'too_large',
      message: `${sizeOf(file.size)} is more than this destination takes (${sizeOf(maxBytes)})`,
    };
  }
  if (minBytes !== null && file.size < minBytes) {
    return {
      code: 'empty',
      message: `${sizeOf(file.size)} is less than this destination takes (${sizeOf(minBytes)})`,
    };
  }
  const name = file.path.toLowerCase();
  if (extensions !== null && !extensions.some((extension) => name.endsWith(extension))) {
    return { code: 'type', message: `this destination takes only ${extensions.join(' ')}` };
  }
  return null;
}

/** Exact and readable: `512.3 MB (512300001 bytes)`. */
function sizeOf(bytes: number): string {
  return bytes < 1000 ? `${bytes} bytes` : `${formatBytes(bytes)} (${bytes} bytes)`;
}
