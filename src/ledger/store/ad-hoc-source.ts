import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { openDataDir, sourceFolder } from './data-dir.ts';

/** Keeps a name with its suffix below the 255 bytes of a folder name: a character takes at most 4. */
const MAX_NAME_CHARS = 48;
const SOURCE_FILE = 'source.json';

/**
 * The source of `run PATH` and `ingest PATH`: named after its folder, `-2` and on where that is taken, and found again
 * by its real path, so that repeating the command sends only what is new (contract §4).
 * @param realPath absolute, symlinks resolved
 * @param reserved names of configured sources, which may not have a folder yet
 * @throws SlipwayError `data_dir`, `data_dir_newer`
 */
export async function adHocSourceName(
  dataDir: string,
  realPath: string,
  reserved: readonly string[] = [],
): Promise<string> {
  await openDataDir(dataDir);
  const sources = join(dataDir, 'sources');
  try {
    await mkdir(sources, { recursive: true, mode: 0o700 });
    const taken = await readdir(sources);
    return (
      (await knownName(sources, taken, realPath)) ??
      (await newName(sources, [...taken, ...reserved], realPath))
    );
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('data_dir', { path: dataDir, reason: reasonOf(error) }, { cause: error });
  }
}

/** Folders of sources that this process was the first to name. */
const named = new Set<string>();

/**
 * Takes back the names of sources that were new, where nothing has come of them: a command that was refused leaves no
 * trace. What something was written for stays.
 */
export async function forgetNewSources(): Promise<void> {
  for (const folder of named) {
    const names = await readdir(folder).catch(() => []);
    if (names.length !== 1 || names[0] !== SOURCE_FILE) continue;
    await rm(join(folder, SOURCE_FILE), { force: true });
    // Whoever has put something there meanwhile keeps it.
    await rmdir(folder).catch(() => undefined);
  }
  named.clear();
}

/** A source that was named on the command line. */
export interface AdHocSource {
  readonly name: string;
  /** Absolute: the folder it watches, or the archive it comes from. */
  readonly path: string;
  /** Absolute, of its manifest, where that does not lie beside `path`; null: it does. */
  readonly manifest: string | null;
}

/** The sources that were named on the command line with this data folder, by the folders they watch. */
export async function adHocSources(dataDir: string): Promise<AdHocSource[]> {
  const sources = join(dataDir, 'sources');
  const found: AdHocSource[] = [];
  for (const name of (await readdir(sources).catch(() => [])).sort()) {
    const source = name.startsWith('.') ? null : await readSource(join(sources, name));
    if (source !== null) found.push({ name, ...source });
  }
  return found;
}

/** Where the manifest of a source lies that could not lie beside its folder; null: beside it, or not such a source. */
export async function rememberedManifest(dataDir: string, name: string): Promise<string | null> {
  return (await readSource(sourceFolder(dataDir, name)))?.manifest ?? null;
}

/** Durable when it returns: whoever opens the source from now on finds its journal there. */
export async function rememberManifest(dataDir: string, source: AdHocSource): Promise<void> {
  const file = join(sourceFolder(dataDir, source.name), SOURCE_FILE);
  await writeAtomic(file, `${JSON.stringify({ v: 1, ...source })}\n`, { mode: 0o600 });
}

async function knownName(
  sources: string,
  taken: readonly string[],
  realPath: string,
): Promise<string | null> {
  for (const name of taken) {
    if (!name.startsWith('.') && (await readSource(join(sources, name)))?.path === realPath) return name;
  }
  return null;
}

async function readSource(folder: string): Promise<Pick<AdHocSource, 'path' | 'manifest'> | null> {
  try {
    const text = await readFile(join(folder, SOURCE_FILE), 'utf8');
    const source = JSON.parse(text) as Partial<Record<keyof AdHocSource, unknown>> | null;
    if (typeof source?.path !== 'string') return null;
    return { path: source.path, manifest: typeof source.manifest === 'string' ? source.manifest : null };
  } catch {
    // A configured source has none.
    return null;
  }
}

async function newName(sources: string, taken: readonly string[], realPath: string): Promise<string> {
  // Compared without case: macOS and Windows would make one folder of two names.
  const used = new Set(taken.map((name) => name.toLowerCase()));
  const base = nameOfFolder(realPath);
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? base : `${base}-${count}`;
    if (!used.has(name.toLowerCase()) && (await claim(sources, name, realPath))) return name;
  }
}

/** The folder and the path in it appear in one step: a crash leaves no name that belongs to nobody. */
async function claim(sources: string, name: string, realPath: string): Promise<boolean> {
  const temporary = await mkdtemp(join(sources, '.new-'));
  try {
    const content = JSON.stringify({ v: 1, name, path: realPath });
    await writeAtomic(join(temporary, SOURCE_FILE), `${content}\n`, { mode: 0o600 });
    await rename(temporary, join(sources, name));
    named.add(join(sources, name));
    return true;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const code = (error as NodeJS.ErrnoException).code;
    // Another process took it meanwhile.
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

/** Letters, digits, `.`, `_` and `-`: it becomes a folder, a part of Redis keys and a word on the command line. */
function nameOfFolder(realPath: string): string {
  const name = basename(realPath)
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^[.-]+|-+$/g, '');
  const short = [...name].slice(0, MAX_NAME_CHARS).join('');
  return short === '' ? 'source' : short;
}
