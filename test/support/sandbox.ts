import { onTestFinished } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/sandbox/open-sandbox.ts';
import type { SandboxOptions } from '../../src/sandbox/options.ts';
import { type ScriptUpload, scriptUpload } from './original-script.ts';
import type { RawAnswer } from './raw-http.ts';

/** A sandbox for one test, closed with it. */
export async function sandboxForTest(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await openSandbox(options);
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** A valid AutoGLM upload of a small text, but for what `changes` says. */
export function uploadText(sandbox: Sandbox, changes: Partial<ScriptUpload> = {}): Promise<RawAnswer> {
  const { autoglmUrl, tokenUrl } = sandbox;
  const file = { filename: 'note.txt', content: Buffer.from('a small text'), contentType: 'text/plain' };
  return scriptUpload({ autoglmUrl, tokenUrl, ...file, ...changes });
}
