import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  formatIdentity,
  isProcessAlive,
  ownIdentity,
  parseIdentity,
  processArguments,
  processStartTime,
} from '../../../src/platform/process/process-identity.ts';

test('this process is alive, and its identity survives being written down', () => {
  const own = ownIdentity();
  expect(isProcessAlive(own)).toBe(true);
  expect(parseIdentity(formatIdentity(own))).toEqual(own);
});

test('another process that has taken over the pid is not it', () => {
  expect(isProcessAlive({ ...ownIdentity(), startTime: '1' })).toBe(false);
});

test('a process that has ended is dead, also before its parent has fetched it', async () => {
  const child = spawn('/bin/sh', ['-c', 'read line']);
  const pid = child.pid ?? 0;
  const startTime = processStartTime(pid);
  expect(startTime).not.toBeNull();
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect(processStartTime(pid)).toBeNull();
  expect(isProcessAlive({ pid, startTime: startTime ?? '' })).toBe(false);
});

test.each(['', '12', '12-', 'a-b', '-5-1', '12-3-4'])('%j is no identity', (text) => {
  expect(parseIdentity(text)).toBeNull();
});

test.each([0, -1, 1.5, Number.NaN])('%s is no pid', (pid) => {
  expect(processStartTime(pid)).toBeNull();
});

test('arguments are those the process was started with', () => {
  expect(processArguments(process.pid)?.join(' ')).toContain('vitest');
});
