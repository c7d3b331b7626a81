/**
 * A `redis-server` on a PATH of its own that misbehaves as told:
 * `hang` never listens, `loading` answers LOADING a few times first, `fail` says why in its last line and ends,
 * `old` is version 6.0. Each but `old` calls itself 7.2.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type FakeRedisBehaviour = 'hang' | 'loading' | 'fail' | 'old';

/** How often a loading one says so before it is ready. */
export const LOADING_ANSWERS = 5;

/** Writes it below `folder`; returns the PATH that finds it and nothing else. */
export async function fakeRedisPath(folder: string, behaviour: FakeRedisBehaviour): Promise<string> {
  const bin = join(folder, 'fake-bin');
  await mkdir(bin, { recursive: true });
  const file = join(bin, 'redis-server');
  await writeFile(file, script(behaviour));
  await chmod(file, 0o755);
  return bin;
}

function script(behaviour: FakeRedisBehaviour): string {
  return `#!${process.execPath}
const { readFileSync } = require('node:fs');
const net = require('node:net');
const behaviour = ${JSON.stringify(behaviour)};
if (process.argv[2] === '--version') {
  console.log('Redis server v=' + (behaviour === 'old' ? '6.0.16' : '7.2.5') + ' sha=00000000:0 bits=64');
  process.exit(0);
}
if (behaviour === 'fail') {
  console.error('123:M 22 Nov 2026 05:16:00.000 # Bad file format reading the append only file');
  process.exit(1);
}
const path = /^unixsocket "(.*)"$/m.exec(readFileSync(process.argv[2], 'utf8'))[1];
let asked = 0;
const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (data) => {
    const command = data.toString();
    if (command.startsWith('SHUTDOWN')) return server.close(), process.exit(0);
    if (command.startsWith('PING')) asked += 1;
    socket.write(asked <= ${LOADING_ANSWERS} ? '-LOADING Redis is loading the dataset in memory\\r\\n' : '+PONG\\r\\n');
  });
});
if (behaviour === 'hang') setInterval(() => {}, 1000);
else server.listen(path);
`;
}
