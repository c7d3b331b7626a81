import type { FileVersion } from '../../domain/file-version.ts';
import type { Arrival } from '../../domain/lane.ts';
import type { SeenTimes } from '../../domain/sight.ts';
import type { SeenFile } from '../scan/seen-file.ts';
import type { Decision } from './decision.ts';

/** A settled file version that needs a receipt, whoever found it. */
interface VersionToSend {
  readonly jobId: string;
  /** The file version's id. */
  readonly id: string;
  readonly version: FileVersion;
  readonly sight: SeenTimes;
  readonly arrival: Arrival;
  readonly ruling: Exclude<Decision, { kind: 'nothing' }>;
}

/** One that lies on disk. */
export interface FileCandidate extends VersionToSend {
  readonly file: SeenFile;
  /** It was skipped for a limit that lets it pass now. */
  readonly unlimited: boolean;
}

/** A file of an archive; once it is to be sent it lies in the spool. */
export interface EntryCandidate extends VersionToSend {
  /** Hex, of its bytes; null: not known, so it is compared with nothing. */
  readonly sha256: string | null;
}

export type Candidate = FileCandidate | EntryCandidate;

/** One that is to be sent, unless another upload stands for it. */
export type UploadCandidate<One extends Candidate = Candidate> = One & {
  readonly ruling: Extract<Decision, { kind: 'upload' }>;
};

export function isUpload(candidate: Candidate): candidate is UploadCandidate {
  return candidate.ruling.kind === 'upload';
}

export function isOnDisk<One extends Candidate>(candidate: One): candidate is One & FileCandidate {
  return 'file' in candidate;
}
