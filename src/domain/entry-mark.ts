/** By what the bytes of an archive's entry are told from others of the same name, size and time. */
export interface EntryMark {
  /** Which file the archive is, as far as its file system tells: text that is compared and no more. */
  readonly archive: string;
  /** Of the unpacked bytes; null where the format has none. */
  readonly crc32: number | null;
}

/** What was kept with a receipt. */
export interface KeptEntryMark extends EntryMark {
  /** Generation of the receipt. */
  readonly gen: number;
}

/** What is kept of the entries of a source. */
export interface EntryMarks {
  /** Kept with the newest receipt of a version; null: nothing, as by an older Slipway. */
  find(id: string): KeptEntryMark | null;
  /** To be kept with the receipt of this job once there is one; until then in memory. */
  remember(jobId: string, mark: EntryMark): void;
  /** One durable transaction: what lies there now is what was recorded. */
  know(marks: readonly { readonly id: string; readonly mark: KeptEntryMark }[]): void;
}
