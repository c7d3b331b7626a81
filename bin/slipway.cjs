#!/usr/bin/env node
'use strict';
// Kept to what any Node can parse: on one that is too old this must say so, not fail with a syntax error.
var wanted = [22, 22];
var found = process.versions.node.split('.').map(Number);

if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  process.stderr.write(
    'slipway: needs Node ' +
      wanted.join('.') +
      ' or newer, this is ' +
      process.versions.node +
      ': install one from https://nodejs.org\n',
  );
  process.exitCode = 2;
} else {
  import('../dist/cli/main.js').catch((error) => {
    var isUnbuilt =
      error.code === 'ERR_MODULE_NOT_FOUND' && /dist[/\\]cli[/\\]main\.js/.test(String(error.url));
    if (!isUnbuilt) throw error;
    process.stderr.write('slipway: not built yet: run scripts/setup\n');
    process.exitCode = 1;
  });
}
