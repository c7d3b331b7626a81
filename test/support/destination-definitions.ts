import type { DestinationDefinition } from '../../src/destinations/definition/definition.ts';
import { destinationConfigSchema } from '../../src/destinations/definition/definition-schema.ts';
import { resolveDestination } from '../../src/destinations/definition/resolve-destination.ts';
import type { Answer } from '../../src/destinations/destination.ts';

/** What a preset cannot be used without. */
const NEEDED: Readonly<Record<string, object>> = {
  bigmodel: { fields: { purpose: 'agent' } },
  deepseek: { fields: { purpose: 'user_data' } },
  dify: { fields: { user: 'slipway' } },
  minimax: { fields: { purpose: 'voice_clone' } },
  mistral: { fields: { purpose: 'ocr' } },
  siliconflow: { params: { base: 'https://siliconflow.example/v1' } },
  together: { fields: { purpose: 'fine-tune' } },
  vectorx: { url: 'http://localhost:3000/v1/aiagent/agents/demo/upload-openai-file' },
};

/** A preset as a user would configure it with the least possible text, plus overrides. */
export function definitionOf(preset: string, overrides: object = {}): DestinationDefinition {
  return definitionFrom({ preset, ...NEEDED[preset], ...overrides });
}

/** A destination as written under `destinations.test`. */
export function definitionFrom(config: object): DestinationDefinition {
  return resolveDestination('test', destinationConfigSchema.parse(config));
}

/** An answer whose body is JSON unless it is given as text. */
export function answerOf(status: number, body: unknown, headers: Answer['headers'] = {}): Answer {
  return { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}
