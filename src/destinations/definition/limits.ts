import type { SkipCode } from '../../domain/receipt.ts';
import { formatBytes } from '../../platform/units.ts';
import type { DestinationLimits } from '../destination.ts';

/** Why a file is not sent. */
export interface LimitRefusal {
  readonly code: Extract<SkipCode, 'too_large' | 'empty' | 'type'>;
  readonly message: string;
}

/**
 * What these limits say of a file; null: nothing speaks against it.
 * @param size bytes
 * @param taker whose limits they are, for the message: `this destination`
 */
export function refusedBy(
  limits: DestinationLimits,
  file: { readonly path: string; readonly size: number },
  taker: string,
): LimitRefusal | null {
  const { maxBytes, minBytes, extensions } = limits;
  if (maxBytes !== null && file.size > maxBytes) {
    return {
      code: 'too_large',
      message: `${sizeOf(file.size)} is more than ${taker} takes (${sizeOf(maxBytes)})`,
    };
  }
  if (minBytes !== null && file.size < minBytes) {
    return {
      code: 'empty',
      message: `${sizeOf(file.size)} is less than ${taker} takes (${sizeOf(minBytes)})`,
    };
  }
  if (extensions === null) return null;
  const name = file.path.toLowerCase();
  return extensions.some((extension) => name.endsWith(extension))
    ? null
    : { code: 'type', message: `${taker} takes only ${extensions.join(' ')}` };
}

/** Exact and readable: `512.3 MB (512300001 bytes)`. */
function sizeOf(bytes: number): string {
  return bytes < 1000 ? `${bytes} bytes` : `${formatBytes(bytes)} (${bytes} bytes)`;
}
