/** A file that has come in whole and is not sent yet. */
export interface ReceivedFile {
  readonly bytes: number;
  /** Hex, of its bytes. */
  readonly sha256: string;
  /** Its first bytes: enough to see of what kind it is. */
  readonly head: Buffer;
  readonly place: ReceivedPlace;
  /**
   * Its bytes go to a path of the same disk, synced but for the name there; its room on disk stays taken: whoever removes it
   * there gives it back.
   * @returns its time of change, as it is from now on
   * @throws SlipwayError `spool_full`, `disk_full`, `data_dir`; nothing lies there then
   */
  keepAt(path: string): Promise<{ readonly mtimeNs: string }>;
  /** Gives its memory, or its place on disk, back. Safe to call twice. */
  release(): Promise<void>;
}

/** Small files stay in memory, others lie in a file of their own that nobody else may read. */
export type ReceivedPlace =
  | { readonly kind: 'memory'; readonly content: Buffer }
  | {
      readonly kind: 'disk';
      /** Absolute. */
      readonly folder: string;
      readonly name: string;
      readonly mtimeNs: string;
    };
