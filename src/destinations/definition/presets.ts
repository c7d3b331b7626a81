import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { SlipwayError } from '../../domain/errors.ts';
import { parseYaml } from '../../platform/files/yaml-document.ts';
import { type Preset, presetSchema } from './definition-schema.ts';

/** The same place from src/destinations and from dist/destinations. */
const FOLDER = new URL('../../../config/destinations/', import.meta.url);
const EXTENSION = '.yaml';

const loaded = new Map<string, Preset>();
let names: readonly string[] | null = null;

/** Names of the destination definitions that ship with Slipway, sorted. */
export function presetNames(): readonly string[] {
  names ??= readdirSync(FOLDER)
    .filter((file) => file.endsWith(EXTENSION))
    .map((file) => file.slice(0, -EXTENSION.length))
    .sort();
  return names;
}

/** One preset as it ships. Throws `config_invalid` for a name that is not one. */
export function loadPreset(name: string): Preset {
  if (!presetNames().includes(name)) {
    const problem = `there is no preset ${JSON.stringify(name)}: use one of ${presetNames().join(', ')}`;
    throw new SlipwayError('config_invalid', { problem });
  }
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const preset = parsePreset(presetText(name), name);
  loaded.set(name, preset);
  return preset;
}

/** A preset's YAML as it ships, comments included. The name is one of `presetNames`. */
export function presetText(name: string): string {
  return readFileSync(new URL(`${name}${EXTENSION}`, FOLDER), 'utf8');
}

/** Reads a preset's YAML; `name` is for messages. Throws `config_invalid` naming every mistake with its line. */
export function parsePreset(text: string, name: string): Preset {
  const document = parseYaml(text);
  const problems = document.problems.map(({ line, message }) => `line ${line}: ${message}`);
  if (problems.length === 0) {
    const parsed = presetSchema.safeParse(document.value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      const path = issue.path.filter((step) => typeof step !== 'symbol');
      problems.push(`line ${document.lineOf(path) ?? 1}: ${z.core.toDotPath(issue.path)}: ${issue.message}`);
    }
  }
  throw new SlipwayError('config_invalid', { problem: `preset ${name}: ${problems.join('; ')}` });
}
