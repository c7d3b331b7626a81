/** By what a file on disk is told from another of the same path, size and time: neither can be set by a program. */
export interface DiskMark {
  readonly ino: bigint;
  /** Time of change, milliseconds since the epoch. */
  readonly ctimeMs: number;
}
