import { createHash } from 'node:crypto';
import type { OpenDestination } from '../../destinations/open-destination.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { silentLog } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { HttpClient } from '../../platform/http/http-client.ts';
import type { RetryOptions } from '../../upload/options.ts';
import { directUploader } from '../upload/direct-upload.ts';
import { askFarSide } from './ask-far-side.ts';

export type TrialStepName = 'token' | 'sign' | 'upload' | 'readiness' | 'delete';

/** One step of a trial: done, not there to be done, or failed (the last one then). */
export interface TrialStep {
  readonly step: TrialStepName;
  readonly state: 'ok' | 'none' | 'failed';
  /** How long it took; 0 where there was nothing to do. */
  readonly ms: number;
  readonly detail: string;
  /** The kind of the error that it failed with (domain/errors.ts). */
  readonly kind: string | null;
}

/** How long something took, and why it failed. */
interface Timed {
  readonly ms: number;
  readonly error: Error | null;
}

interface TrialMeans {
  readonly http: HttpClient;
  readonly retry: RetryOptions;
  /** Milliseconds of a clock that only goes forward. */
  readonly monotonicMs: () => number;
  readonly nowMs: () => number;
}

/** A trial is there to say how things are, not to wait until they are better. */
const PATIENCE_MS = 15_000;

/**
 * Sends one tiny file the whole way, and takes it away again where the API can. Nothing is recorded.
 * @returns each step as it ends; after a failed one there is none
 */
export async function* tryDestination(
  destination: OpenDestination,
  means: TrialMeans,
  signal: AbortSignal,
): AsyncGenerator<TrialStep> {
  const trial = openTrial(destination, means);
  try {
    yield* steps(destination, trial, means, signal);
  } finally {
    await trial.close();
  }
}

async function* steps(
  destination: OpenDestination,
  trial: ReturnType<typeof openTrial>,
  means: TrialMeans,
  signal: AbortSignal,
): AsyncGenerator<TrialStep> {
  const { definition } = destination;
  const timed = async (work: () => Promise<unknown>): Promise<Timed> => {
    const startMs = means.monotonicMs();
    const error = await work().then(
      () => null,
      (reason: unknown) => (reason instanceof Error ? reason : new Error(reasonOf(reason))),
    );
    signal.throwIfAborted();
    return { ms: means.monotonicMs() - startMs, error };
  };
  const authorize = () => timed(() => destination.authorize(signal, { name: trialFile(destination).name }));

  // The first request reads the token, the second has it at hand: what is left of it is the signature.
  const first = await authorize();
  if (definition.token === null) yield none('token', 'this destination needs none');
  else yield stepOf('token', first, 'a token was read');
  if (first.error !== null) return;
  const second = await authorize();
  if (definition.signer.kind === 'none') yield none('sign', 'this API wants no signature');
  else yield stepOf('sign', second, `${definition.signer.kind}, with the time of this machine`);
  if (second.error !== null) return;

  const { receipt, acceptedId, uploadMs, readyMs } = await trial.send(signal);
  const failure = receipt.error === null ? null : new Error(receipt.error.message);
  const kind = receipt.error?.kind ?? null;
  if (failure !== null && acceptedId === null) {
    yield { step: 'upload', state: 'failed', ms: uploadMs, detail: failure.message, kind };
    return;
  }
  yield { step: 'upload', state: 'ok', ms: uploadMs, detail: whereOf(receipt, acceptedId), kind: null };
  if (destination.readiness === null)
    yield none('readiness', 'nothing is known of a wait before a file can be used');
  else
    yield stepOf('readiness', { ms: readyMs, error: failure }, 'the far side says that it can be used', kind);
  yield await removed(destination, acceptedId, means, timed, signal);
}

async function removed(
  destination: OpenDestination,
  id: string | null,
  { http }: TrialMeans,
  timed: (work: () => Promise<unknown>) => Promise<Timed>,
  signal: AbortSignal,
): Promise<TrialStep> {
  if (id === null || !destination.remote.can('remove'))
    return none('delete', 'this API has no call for it: the file stays there');
  const ended = await timed(async () => {
    const { status } = await askFarSide(destination, { name: 'remove', id }, http, signal);
    if (status >= 200 && status <= 299) return;
    throw new SlipwayError('unavailable', { detail: `HTTP ${status}: ${id} stays there` });
  });
  return stepOf('delete', ended, 'it is gone from there');
}

interface SentTrial {
  readonly receipt: Receipt;
  /** What the far side calls the file that it took; null: it took none, or gives no ids. */
  readonly acceptedId: string | null;
  readonly uploadMs: number;
  /** From the acceptance on. */
  readonly readyMs: number;
}

/** Uploads it without a second try. Closing it closes the destination. */
function openTrial(
  destination: OpenDestination,
  { http, retry, monotonicMs, nowMs }: TrialMeans,
): { send(signal: AbortSignal): Promise<SentTrial>; close(): Promise<void> } {
  let answered: { readonly atMs: number; readonly id: string | null } | null = null;
  const uploader = directUploader({
    destination,
    concurrency: { initial: 1, max: 1, adaptive: false },
    retry: { ...retry, attempts: 1 },
    async send(request) {
      const answer = await http.send(request);
      // Looks at the file are GETs.
      if (request.method === 'GET') return answer;
      const verdict = destination.judge(answer);
      const id = verdict.kind === 'uploaded' ? verdict.accepted.fileId : null;
      answered = { atMs: monotonicMs(), id };
      return answer;
    },
    log: silentLog,
    patienceMs: PATIENCE_MS,
  });
  const { name, bytes } = trialFile(destination);
  return {
    async send(signal) {
      const startMs = monotonicMs();
      const { receipt } = await uploader.upload(
        {
          ...{ folder: '/', fileName: Buffer.from(name), shown: Buffer.from(name) },
          ...{ size: bytes.length, mtimeNs: String(BigInt(nowMs()) * 1_000_000n) },
          content: { bytes, sha256: createHash('sha256').update(bytes).digest('hex') },
        },
        signal,
      );
      const endMs = monotonicMs();
      const { atMs, id } = answered ?? { atMs: endMs, id: null };
      return { receipt, acceptedId: id, uploadMs: atMs - startMs, readyMs: endMs - atMs };
    },
    close: () => uploader.close(),
  };
}

/** Contents that are what their ending says, for destinations that look at it. */
const CONTENTS: Readonly<Record<string, string>> = {
  '.txt': 'A trial of Slipway.\n',
  '.md': '# A trial of Slipway\n',
  '.csv': 'what,is\ntrial,slipway\n',
  '.json': '{"trial":"slipway"}\n',
  '.jsonl': '{"trial":"slipway"}\n',
};

function trialFile({ limits }: OpenDestination): { readonly name: string; readonly bytes: Buffer } {
  const allowed = limits.extensions;
  const known = Object.keys(CONTENTS).find((ending) => allowed === null || allowed.includes(ending));
  const ending = known ?? allowed?.[0] ?? '.txt';
  const text = CONTENTS[ending] ?? 'A trial of Slipway.\n';
  return { name: `slipway-trial${ending}`, bytes: Buffer.from(text.padEnd(limits.minBytes ?? 0, '\n')) };
}

function whereOf({ url, ref }: Receipt, id: string | null): string {
  return ref ?? url ?? id ?? 'accepted';
}

function stepOf(
  step: TrialStepName,
  { ms, error }: Timed,
  done: string,
  kind: string | null = error instanceof SlipwayError ? error.kind : 'unavailable',
): TrialStep {
  return error === null
    ? { step, state: 'ok', ms, detail: done, kind: null }
    : { step, state: 'failed', ms, detail: error.message, kind };
}

function none(step: TrialStepName, detail: string): TrialStep {
  return { step, state: 'none', ms: 0, detail, kind: null };
}
