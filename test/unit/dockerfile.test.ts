/** No container engine runs where these tests do: the Dockerfile is read and checked, never built. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { execForm, parseDockerfile, type Stage } from '../support/dockerfile.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stages = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
const final = stages.at(-1) as Stage;
const ignoreLines = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

function all(name: string, of: readonly Stage[] = stages): readonly string[] {
  return of.flatMap((stage) =>
    stage.instructions.filter((found) => found.name === name).map((found) => found.rest),
  );
}

/** Sources a COPY takes from the build context. */
const copiedFromContext = all('COPY')
  .filter((rest) => !rest.startsWith('--from='))
  .flatMap((rest) =>
    rest
      .split(' ')
      .filter((word) => !word.startsWith('--'))
      .slice(0, -1),
  );

test('it has a build stage and a final one, each on a slim image with an exact major version', () => {
  expect(stages.map((stage) => stage.alias)).toEqual(['build', null]);
  for (const { image } of stages) expect(image).toMatch(/^node:\d+(\.\d+)*-slim$/);
});

test('the image runs the Node that the project carries', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const major = String(devDependencies.node).split('.')[0];
  for (const { image } of stages) expect(image).toContain(`node:${major}-`);
});

test('what it copies exists, and .dockerignore lets it through and nothing else', () => {
  expect(copiedFromContext.length).toBeGreaterThan(0);
  for (const source of copiedFromContext) expect(existsSync(join(root, source)), source).toBe(true);
  expect(ignoreLines[0]).toBe('*');
  expect(new Set(ignoreLines.slice(1))).toEqual(new Set(copiedFromContext.map((source) => `!${source}`)));
  expect(all('ADD')).toEqual([]);
});

test('what it copies from another stage comes from one that is there before', () => {
  const origins = all('COPY', [final]).flatMap((rest) => /--from=(\S+)/.exec(rest)?.[1] ?? []);
  expect(origins.length).toBeGreaterThan(0);
  for (const origin of origins) expect(stages.slice(0, -1).map((stage) => stage.alias)).toContain(origin);
});

test('everything that package.json ships reaches the image', () => {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  const targets = all('COPY', [final]).map((rest) => rest.split(' ').slice(0, -1).join(' '));
  const isProse = (name: string): boolean => name.endsWith('.md');
  for (const file of files.filter((name) => !isProse(name))) {
    expect(
      targets.some((target) => target.split(/[ /]/).includes(file)),
      file,
    ).toBe(true);
  }
});

test('it does not run as root, and switches users after the last step that needs to be root', () => {
  const names = final.instructions.map((found) => found.name);
  expect(all('USER', [final])).toEqual(['node']);
  expect(names.indexOf('USER')).toBeGreaterThan(names.lastIndexOf('RUN'));
  expect(names.indexOf('USER')).toBeGreaterThan(names.lastIndexOf('COPY'));
});

test('the program is process 1 or the child of an init, never of a shell, so that signals reach it', () => {
  const [entry = ''] = all('ENTRYPOINT', [final]);
  expect(execForm(entry)).toEqual(['node', '/app/bin/slipway.cjs']);
  expect(execForm(all('CMD', [final])[0] ?? '')).toEqual(['run']);
  expect(existsSync(join(root, 'bin', 'slipway.cjs'))).toBe(true);
});

test('it has a health check that ends by itself', () => {
  const [check = ''] = all('HEALTHCHECK', [final]);
  expect(check).toMatch(/^--interval=\d+s --timeout=\d+s --start-period=\d+s --retries=\d+ CMD \[/);
  // The same one as docker-compose.yml has.
  const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true });
  expect(['CMD', ...execForm(check.slice(check.indexOf('[')))]).toEqual(
    compose.services.slipway.healthcheck.test,
  );
});

test('its packages come from the lock file, and no secret is built in', () => {
  expect(all('RUN').join('\n')).toMatch(/npm ci /);
  expect(all('RUN').join('\n')).not.toMatch(/npm (install|i) |curl|wget|apt-get/);
  expect([...all('ENV'), ...all('ARG')].join('\n')).not.toMatch(/TOKEN|SECRET|PASSWORD|KEY/i);
});

test('work and data folders are absolute', () => {
  for (const folder of [...all('WORKDIR'), ...all('VOLUME')]) expect(folder).toMatch(/^\//);
});

test.each([
  ['an unknown instruction', 'FROM node:24\nINSTALL x'],
  ['an instruction before FROM', 'RUN x\nFROM node:24'],
  ['a backslash at the end', 'FROM node:24\nRUN x \\\n'],
])('the reader itself refuses %s', (_what, text) => {
  expect(() => parseDockerfile(text)).toThrow(/^line \d+:/);
});
