import { expect, test } from 'vitest';
import { installHint } from '../../../src/redis/embedded/embedded-redis-binary.ts';

test.each([
  ['ID=debian\n', 'apt-get install redis-server'],
  ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', 'apt-get install redis-server'],
  ['NAME="Fedora Linux"\nID=fedora\n', 'dnf install redis'],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'dnf install redis'],
  ['ID=arch\n', 'pacman -S valkey'],
  ['ID=alpine\n', 'apk add redis'],
  ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', 'zypper install redis'],
])('on %j the hint is %s', (osRelease, command) => {
  expect(installHint('linux', osRelease)).toContain(command);
});

test('a system nobody has heard of gets the names of the packages', () => {
  expect(installHint('linux', 'ID=nixos\n')).toContain('redis-server, redis or valkey');
  expect(installHint('linux', null)).toContain('redis-server, redis or valkey');
});

test('macOS and Windows have their own way', () => {
  expect(installHint('darwin', null)).toContain('brew install redis');
  expect(installHint('win32', null)).toContain('WSL2');
});
