import { reasonOf } from '../../domain/errors.ts';

const IN_WORDS: Readonly<Record<string, string>> = {
  ENAMETOOLONG:
    'its path has more than 4,096 bytes, or a name in it more than 255: move it nearer to the top',
  EMFILE: 'this process has no more file handles (EMFILE): raise the limit (ulimit -n)',
  ENFILE: 'this machine has no more file handles (ENFILE): raise the sysctl fs.file-max',
};

/** Why a file or folder cannot be looked at, for people. */
export function whyUnreadable(error: unknown): string {
  const reason = reasonOf(error);
  return IN_WORDS[reason] ?? reason;
}
