import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import type { IntakeOptions } from '../intake/options.ts';
import type { CommandSinkOptions } from '../notify/options.ts';
import type { ConcurrencyOptions } from '../pacing/options.ts';
import type { RecordOptions } from '../record/options.ts';
import type { GatewayOptions } from './gateway-options.ts';
import type { MetricsOptions } from './metrics-options.ts';
import type { ParsedConfig } from './schema.ts';

/** One source with nothing left to decide. Durations are milliseconds, paths absolute. */
export interface SourceConfig extends Readonly<IntakeOptions>, Readonly<Omit<RecordOptions, 'manifest'>> {
  readonly name: string;
  /** A key of `definitions`. */
  readonly destination: string;
  readonly manifest: string;
  /** A program that begins with `./` or `../` is relative to the config file: made absolute. */
  readonly onSettled: CommandSinkOptions | null;
  /** Its name before it was renamed; null: it is a new one. */
  readonly renamedFrom?: string | null | undefined;
  /** Its name in the config file, where `name` is the one under which its records go on. */
  readonly title?: string;
}

/** As the redis room takes it: what is left out is null. */
export type ResolvedRedis = Readonly<
  Pick<ParsedConfig['redis'], 'url' | 'prefix'> & Partial<ParsedConfig['redis']>
>;

/** What the inside sees: frozen, every default filled in, every path absolute. */
export interface ResolvedConfig {
  readonly dataDir: string;
  /** Paths under `tls` are absolute. */
  readonly redis: ResolvedRedis;
  readonly network: Readonly<ParsedConfig['network']>;
  /** As written, for `config show`. */
  readonly destinations: Readonly<ParsedConfig['destinations']>;
  /** Every configured destination and every preset that a source names. */
  readonly definitions: Readonly<Record<string, DestinationDefinition>>;
  readonly sources: Readonly<Record<string, SourceConfig>>;
  /** Configured values that nobody may read (G5): what is echoed, logged or shown is without them. */
  readonly secrets: readonly string[];
  readonly webhooks: Readonly<ParsedConfig['webhooks']>;
  readonly queue: Readonly<ParsedConfig['queue']>;
  readonly spool: Readonly<ParsedConfig['spool']>;
  readonly worker: { readonly concurrency: ConcurrencyOptions; readonly processes: number };
  readonly retry: Readonly<ParsedConfig['retry']>;
  readonly shutdown: Readonly<ParsedConfig['shutdown']>;
  readonly timeouts: Readonly<ParsedConfig['timeouts']>;
  readonly log: Readonly<ParsedConfig['log']>;
  readonly metrics: MetricsOptions;
  readonly gateway: GatewayOptions;
}
