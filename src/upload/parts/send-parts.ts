import type { UploadFailure } from '../../domain/attempt.ts';
import { multipartFrame, newBoundary } from '../body/multipart-body.ts';
import { type CallMeans, type CallResult, callParts, TRIES } from './part-calls.ts';
import type { FilePart, PartSource } from './part-source.ts';
import type { PartsTimeLeft } from './parts-time-left.ts';

export type SentParts =
  | { readonly kind: 'sent'; readonly partIds: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: UploadFailure };

/** Sends every part, `atOnce` of them at a time; the first failure ends the others. Throws what a part throws. */
export async function sendParts(
  source: PartSource,
  uploadId: string,
  means: CallMeans,
  { signal, timeLeft }: { readonly signal: AbortSignal; readonly timeLeft: PartsTimeLeft },
): Promise<SentParts> {
  const { atOnce } = means.parts;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const partIds: string[] = [];
  const endings: ({ readonly failure: UploadFailure } | { readonly error: unknown })[] = [];

  async function lane(): Promise<void> {
    for (;;) {
      timeLeft.check();
      const part = await source.next(either);
      if (part === null) return;
      const result = await sendPart(source, part, uploadId, means, either);
      if (result.kind === 'failed') {
        endings.push(result);
        stop.abort();
        return;
      }
      partIds[part.index] = result.accepted.fileId ?? '';
    }
  }

  const lanes = Array.from({ length: Math.min(atOnce, source.partCount) }, () =>
    lane().catch((error: unknown) => {
      endings.push({ error });
      stop.abort();
    }),
  );
  await Promise.all(lanes);
  // What came first is the reason; the others only ended because of it.
  const [first] = endings;
  if (first === undefined) return { kind: 'sent', partIds };
  if ('error' in first) throw first.error;
  return { kind: 'failed', failure: first.failure };
}

function sendPart(
  source: PartSource,
  part: FilePart,
  uploadId: string,
  means: CallMeans,
  signal: AbortSignal,
): Promise<CallResult> {
  const frame = multipartFrame(
    {
      fields: [],
      fileField: means.parts.partField,
      fileName: `part-${part.index + 1}`,
      contentType: 'application/octet-stream',
    },
    newBoundary(),
  );
  const body = {
    contentType: frame.contentType,
    contentLength: frame.head.length + part.size + frame.tail.length,
    open: () => source.bodyOf(part, frame),
  };
  return callParts({ step: 'part', uploadId }, body, means, { signal, tries: TRIES });
}
