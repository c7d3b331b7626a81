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
  keepYoungGenerationSmall();
  import('../dist/cli/main.js').catch((error) => {
    var isUnbuilt =
      error.code === 'ERR_MODULE_NOT_FOUND' && /dist[/\\]cli[/\\]main\.js/.test(String(error.url));
    if (!isUnbuilt) throw error;
    process.stderr.write('slipway: not built yet: run scripts/setup\n');
    process.exitCode = 1;
  });
}

// V8 lets its young generation grow to a third of a watcher's memory and gains no speed by it (docs/benchmarks.md). It
// takes this option only when the process starts, so a command that stays becomes itself once more, under the same pid.
function keepYoungGenerationSmall() {
  var option = '--max-semi-space-size';
  var stays = /^(run|watch|intake|worker|ingest|gateway)$/.test(process.argv[2] || '');
  var isSet =
    process.execArgv
      .concat(process.env.NODE_OPTIONS || '')
      .join(' ')
      .indexOf(option) !== -1;
  if (!stays || isSet || process.platform === 'win32' || typeof process.execve !== 'function') return;
  try {
    process.execve(
      process.execPath,
      [process.execPath, `${option}=16`].concat(process.execArgv, process.argv.slice(1)),
      process.env,
    );
  } catch (_error) {
    // Not permitted here: it runs as well without.
  }
}
