import { expect, test } from 'vitest';
import { findAction } from '../../../src/gateway/paths.ts';
import { matchRoute, routesOf } from '../../../src/gateway/route-table.ts';

test.each([
  ['POST', '/upload-openai-file', { kind: 'upload', shape: 'vectorx' }],
  ['POST', '/v1/aiagent/agents/demo/upload-openai-file', { kind: 'upload', shape: 'vectorx' }],
  ['POST', '/v1/files', { kind: 'upload', shape: 'openai' }],
  ['POST', '/v1/files/', { kind: 'upload', shape: 'openai' }],
  ['GET', '/v1/files', { kind: 'list' }],
  ['GET', '/v1/files/file-1', { kind: 'get', id: 'file-1' }],
  ['DELETE', '/v1/files/a%2Fb', { kind: 'remove', id: 'a/b' }],
  ['GET', '/v1/files/x/content', { kind: 'content', id: 'x' }],
  ['POST', '/agentdr/v1/assistant/upload-mix', { kind: 'upload', shape: 'autoglm' }],
])('%s %s', (method, path, action) => {
  expect(findAction(method, path)).toEqual({ kind: 'found', action });
});

test('a wrong method is told which ones there are, an unknown path is unknown', () => {
  expect(findAction('PUT', '/v1/files')).toEqual({ kind: 'wrong-method', allow: 'GET, POST' });
  expect(findAction('GET', '/upload-openai-file')).toEqual({ kind: 'wrong-method', allow: 'POST' });
  expect(findAction('constructor', '/v1/files')).toMatchObject({ kind: 'wrong-method' });
  expect(findAction('GET', '/v2/files')).toEqual({ kind: 'unknown' });
  expect(findAction('GET', '/v1/files/a/b')).toEqual({ kind: 'unknown' });
});

const gateway = (routes: object) => ({ gateway: { routes } }) as never;

test('without routes every destination has its own name, and the only one the root as well', () => {
  const two = routesOf({ destinations: { a: {}, b: {} }, ...(gateway({}) as object) } as never, undefined);
  expect(two.map(({ prefix, destination }) => [prefix, destination])).toEqual([
    ['/a', 'a'],
    ['/b', 'b'],
  ]);
  const one = routesOf({ destinations: { a: {} }, ...(gateway({}) as object) } as never, undefined);
  expect(one.map(({ prefix }) => prefix)).toEqual(['/', '/a']);
  const chosen = routesOf({ destinations: { a: {}, b: {} }, ...(gateway({}) as object) } as never, 'b');
  expect(chosen.map(({ prefix, destination }) => [prefix, destination])).toEqual([
    ['/', 'b'],
    ['/a', 'a'],
    ['/b', 'b'],
  ]);
});

test('a destination named like a path of the door does not hide it', () => {
  const routes = routesOf(
    { destinations: { metrics: {}, b: {} }, ...(gateway({}) as object) } as never,
    undefined,
  );
  expect(routes.map(({ prefix }) => prefix)).toEqual(['/b']);
});

test('the longest prefix wins, whole segments only', () => {
  const routes = [{ prefix: '/' }, { prefix: '/a' }, { prefix: '/a/b' }];
  expect(matchRoute('/a/b/v1/files', routes)).toEqual({ route: routes[2], rest: '/v1/files' });
  expect(matchRoute('/a/v1/files', routes)).toEqual({ route: routes[1], rest: '/v1/files' });
  expect(matchRoute('/ab/v1/files', routes)).toEqual({ route: routes[0], rest: '/ab/v1/files' });
  expect(matchRoute('/ab', [{ prefix: '/a' }])).toBeNull();
});
