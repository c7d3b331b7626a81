import { readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Manifests with names that do not end in `.json`. Whatever is called `.json` or `.jsonl` is known by its content; of these
 * the data folder remembers that they are its own, also when another run put them there (G9).
 */
export function oddManifests(dataDir: string): string[] {
  try {
    const lines = readFileSync(fileIn(dataDir), 'utf8').split('\n');
    return lines.flatMap((line) => (line === '' ? [] : [String(JSON.parse(line))]));
  } catch {
    // None was ever written, or its end is torn: the next start writes it again.
    return [];
  }
}

/** Durable enough: written before the manifest is, and again at every start. @param manifest absolute */
export async function rememberOddManifest(dataDir: string, manifest: string): Promise<void> {
  if (manifest.endsWith('.json') || oddManifests(dataDir).includes(manifest)) return;
  await appendFile(fileIn(dataDir), `${JSON.stringify(manifest)}\n`, { mode: 0o600 });
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'manifests.jsonl');
}
