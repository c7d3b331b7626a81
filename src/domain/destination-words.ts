/** What a command line says of a destination besides its name (`--field`, `--param`, `--url`). Nothing secret. */
export interface DestinationWords {
  /** Text fields that are sent with each file. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Values for the places in its URL. */
  readonly params?: Readonly<Record<string, string>>;
  /** The whole URL of an upload. */
  readonly url?: string;
}
