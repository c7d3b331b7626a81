import { expect, test } from 'vitest';
import { proxiesOf } from '../../../src/platform/http/http-proxy.ts';

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
