/** Why a rule of the source, or a name of our own, leaves a file or folder alone: nobody's mistake, and no receipt. */
export type IgnoreReason =
  | 'own'
  | 'meta'
  | 'symlink'
  | 'special'
  | 'junk'
  | 'hidden'
  | 'ignored'
  | 'not_included';
