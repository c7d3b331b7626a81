import { EventEmitter } from 'node:events';
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { type LoadedConfig, loadConfig } from '../../config/load-config.ts';
import { reasonOf } from '../../domain/errors.ts';
import { type Log, silentLog } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { acknowledgeDirect } from '../../operations/control/acknowledgements.ts';
import { receivedType } from '../../operations/receive/content-type.ts';
import type { DirectFile } from '../../operations/upload/direct-file.ts';
import { chooseDestination } from '../../runtime/plans/destination-choice.ts';
import { type OpenedTargets, openTargets } from '../open-routes.ts';
import { checkLimits, planUpload } from '../plan-upload.ts';
import { vectorxShape } from '../shapes/vectorx.ts';
import type { UploadTarget } from '../upload-target.ts';
import { givenFile, type UploadFileData, type UploadFileInput } from './upload-input.ts';

/** The config as in `slipway.yaml`, as an object. */
export type SlipwayConfig = Readonly<Record<string, unknown>>;

export interface SlipwayOptions {
  /** Where tokens and `${VAR}` are looked up; left out: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Left out: nothing is logged. */
  readonly log?: Log;
}

export interface UploadFileOptions {
  /** A configured destination or a preset; may be left out when exactly one is configured. */
  readonly to?: string;
  readonly signal?: AbortSignal;
}

/** As the VectorX agent runtime answers. */
export interface UploadFileResponse {
  /** 0: success; the far side's status or own code: it refused; -1: nothing came back. */
  readonly code: number;
  readonly msg: string;
  readonly data?: UploadFileData;
}

/** Told as they happen. */
export interface SlipwayEvents {
  'file.uploaded': [receipt: Receipt];
  'file.failed': [receipt: Receipt];
}

export interface Slipway {
  /** Uploads one file. Never throws, but for the signal's reason: `code` and `msg` tell how it ended. */
  uploadFile(input: UploadFileInput, options?: UploadFileOptions): Promise<UploadFileResponse>;
  /**
   * Uploads files on disk, as `slipway upload` does; one receipt each, in their order.
   * @throws SlipwayError for a wrong config, an unknown destination, a public one that nobody has acknowledged
   */
  upload(paths: readonly string[], options?: UploadFileOptions): Promise<readonly Receipt[]>;
  on<Name extends keyof SlipwayEvents>(event: Name, listener: (...args: SlipwayEvents[Name]) => void): this;
  off<Name extends keyof SlipwayEvents>(event: Name, listener: (...args: SlipwayEvents[Name]) => void): this;
  /** Gives everything back; the process may end. */
  close(): Promise<void>;
}

/**
 * Slipway in a process of yours.
 * @param config path of a config file, or what would be in it
 */
export function createSlipway(config: string | SlipwayConfig, options: SlipwayOptions = {}): Slipway {
  return new Library(config, options);
}

const NEVER = new AbortController().signal;
/** Files of one `upload` under way at once; the destination's own limit holds as well. */
const AT_ONCE = 64;

class Library implements Slipway {
  readonly #log: Log;
  readonly #loaded: Promise<LoadedConfig>;
  readonly #events = new EventEmitter();
  readonly #opened = new Map<string, OpenedTargets>();
  readonly #acknowledged = new Map<string, Promise<void>>();

  constructor(config: string | SlipwayConfig, { env = process.env, log = silentLog }: SlipwayOptions) {
    this.#log = log;
    const cwd = process.cwd();
    this.#loaded = loadConfig(
      typeof config === 'string'
        ? { file: resolve(config), env, cwd }
        : { file: null, text: JSON.stringify(config), env, cwd },
    );
    // Told by whatever is asked of it first.
    this.#loaded.catch(() => undefined);
  }

  async uploadFile(
    input: UploadFileInput,
    { to, signal = NEVER }: UploadFileOptions = {},
  ): Promise<UploadFileResponse> {
    try {
      const target = await this.#target(to);
      const nowMs = Date.now();
      const given = await givenFile(input, nowMs);
      const form = new Map(input.purpose === undefined ? [] : [['purpose', input.purpose]]);
      const plan = planUpload(form, target.destination.definition, {}, 'vectorx');
      const definition = target.with(plan.fields);
      const { filename } = given;
      checkLimits(definition, { name: filename, bytes: given.file.size });
      const type = await receivedType(given.contentType, given.head);
      const file: DirectFile = {
        ...given.file,
        shown: Buffer.from(filename),
        ...(type === null ? {} : { contentType: type }),
        destination: target.destination.as(definition),
      };
      const result = await target.uploader.upload(file, signal);
      this.#tell(result.receipt);
      const { fileId } = result.receipt;
      const end = { result, definition, filename, purpose: plan.purpose, farIds: true, nowMs };
      return vectorxShape.ended({ ...end, doorId: fileId ?? '' }).body as UploadFileResponse;
    } catch (error) {
      if (signal.aborted) throw error;
      const status = (error as { status?: unknown }).status;
      return { code: typeof status === 'number' ? status : -1, msg: messageOf(error) || '文件上传失败' };
    }
  }

  async upload(
    paths: readonly string[],
    { to, signal = NEVER }: UploadFileOptions = {},
  ): Promise<readonly Receipt[]> {
    const target = await this.#target(to);
    const receipts: Receipt[] = new Array(paths.length);
    const rest = paths.entries();
    const work = async (): Promise<void> => {
      // One iterator for all: each takes what comes next.
      for (const [index, path] of rest) {
        const { receipt } = await target.uploader.upload(await namedFile(path), signal);
        receipts[index] = receipt;
        this.#tell(receipt);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, paths.length) }, work));
    return receipts;
  }

  on<Name extends keyof SlipwayEvents>(event: Name, listener: (...args: SlipwayEvents[Name]) => void): this {
    this.#events.on(event, listener as (...args: unknown[]) => void);
    return this;
  }

  off<Name extends keyof SlipwayEvents>(event: Name, listener: (...args: SlipwayEvents[Name]) => void): this {
    this.#events.off(event, listener as (...args: unknown[]) => void);
    return this;
  }

  async close(): Promise<void> {
    await this.#loaded.catch(() => undefined);
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.all(opened.map((targets) => targets.close()));
  }

  async #target(to: string | undefined): Promise<UploadTarget> {
    const loaded = await this.#loaded;
    const definition = chooseDestination(loaded.config, to, loaded.baseDir);
    const { name } = definition;
    const opened = this.#opened.get(name) ?? openTargets(loaded, [definition], this.#log);
    this.#opened.set(name, opened);
    const target = opened.targets.get(name);
    if (target === undefined) throw new TypeError(`no destination ${name}`);
    const asked =
      this.#acknowledged.get(name) ??
      acknowledgeDirect(target.destination, {
        ...{ files: 1, bytes: 0, dataDir: loaded.config.dataDir },
        // Nobody is there to be asked: the config has to say it.
        confirm: async () => false,
      });
    this.#acknowledged.set(name, asked);
    await asked;
    return target;
  }

  #tell(receipt: Receipt): void {
    try {
      this.#events.emit(receipt.status === 'uploaded' ? 'file.uploaded' : 'file.failed', receipt);
    } catch (error) {
      this.#log.error({ reason: reasonOf(error) }, 'a listener failed');
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A symlink that is named is meant. */
async function namedFile(path: string): Promise<DirectFile> {
  const real = await realpath(path);
  const { size, mtimeNs } = await lstat(real, { bigint: true });
  return {
    ...{ folder: dirname(real), fileName: Buffer.from(basename(real)), shown: Buffer.from(path) },
    ...{ size: Number(size), mtimeNs: String(mtimeNs) },
  };
}
