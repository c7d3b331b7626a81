import { expect, test } from 'vitest';
import { networksWithoutProxy, proxiesOf } from '../../../src/platform/http/http-proxy.ts';

test('a proxy without a scheme is an HTTP proxy, and the lower-case name wins', () => {
  expect(proxiesOf({ HTTPS_PROXY: '127.0.0.1:9', http_proxy: 'https://a:1', HTTP_PROXY: 'b:2' })).toEqual({
    http: 'https://a:1/',
    https: 'http://127.0.0.1:9/',
    no: null,
  });
  expect(proxiesOf({ https_proxy: '', HTTPS_PROXY: 'http://me:pw@proxy:3128', NO_PROXY: 'x' })).toEqual({
    http: null,
    https: 'http://me:pw@proxy:3128/',
    no: 'x',
  });
});

test.each(['http://', 'pw:secret@:::', 'socks5://secret:1', '127.0.0.1:secret'])(
  'the proxy %s is refused by the name of its variable, without its value',
  (value) => {
    let thrown: unknown = null;
    try {
      proxiesOf({ HTTPS_PROXY: value });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'proxy_invalid', kind: 'config' });
    expect(String(thrown)).toContain('HTTPS_PROXY');
    expect(String(thrown)).not.toContain('secret');
  },
);

test('all_proxy stands in where no other is set', () => {
  expect(proxiesOf({ all_proxy: 'http://a:1', https_proxy: 'http://b:2' })).toEqual({
    ...{ http: 'http://a:1/', https: 'http://b:2/', no: null },
  });
  expect(proxiesOf({ ALL_PROXY: 'a:1', http_proxy: '' })).toEqual({
    http: null,
    https: 'http://a:1/',
    no: null,
  });
  expect(() => proxiesOf({ ALL_PROXY: 'socks5://a:1' })).toThrow(/ALL_PROXY/);
});

test.each<[string, boolean]>([
  ['10.1.2.3', true],
  ['11.1.2.3', false],
  ['192.168.7.9', true],
  ['192.168.8.9', false],
  ['[fd00::1]', true],
  ['[fe80::1]', false],
  ['files.example.com', false],
])('no_proxy with networks: %s is reached without one: %s', (hostname, without) => {
  const isWithout = networksWithoutProxy(
    'example.com, 10.0.0.0/8,192.168.7.0/24 fd00::/8, 300.0.0.0/8, 1.2.3.4/99',
  );
  expect(isWithout(hostname)).toBe(without);
});
