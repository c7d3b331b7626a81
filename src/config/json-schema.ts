import { z } from 'zod';
import type { YamlPath } from '../platform/files/yaml-document.ts';
import { configSchema } from './schema.ts';

/** The parts of a JSON Schema that are read here. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
}

let inputSchema: SchemaNode | null = null;

/** What the file may hold, as JSON Schema; made once. */
export function inputJsonSchema(): SchemaNode {
  inputSchema ??= z.toJSONSchema(configSchema, { io: 'input' }) as SchemaNode;
  return inputSchema;
}

/** Every alternative of the schema at a path; none where nothing is known. */
export function nodesAt(path: YamlPath): readonly SchemaNode[] {
  let nodes = alternatives(inputJsonSchema());
  for (const step of path) {
    nodes = nodes.flatMap((node) => childrenOf(node, step)).flatMap(alternatives);
  }
  return nodes;
}

/** Keys that may stand at a path. */
export function keysAt(path: YamlPath): readonly string[] {
  return [...new Set(nodesAt(path).flatMap((node) => Object.keys(node.properties ?? {})))];
}

function childrenOf(node: SchemaNode, step: string | number): SchemaNode[] {
  if (typeof step === 'number') return node.items === undefined ? [] : [node.items];
  const { properties, additionalProperties } = node;
  const property = properties !== undefined && Object.hasOwn(properties, step) ? properties[step] : undefined;
  if (property !== undefined) return [property];
  return typeof additionalProperties === 'object' ? [additionalProperties] : [];
}

function alternatives(node: SchemaNode): SchemaNode[] {
  const branches = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
  return [node, ...branches.flatMap(alternatives)];
}

const PLACEHOLDER = '\\$\\{';

/**
 * The schema that is published for editors: with what a file may hold before its `${VAR}` are filled in, which is a
 * text anywhere.
 */
export function publishedJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema: node }) => {
      if (node.const !== undefined) return;
      if (node.type === 'number' || node.type === 'integer' || node.type === 'boolean') {
        const type = node.type;
        // `pattern` speaks of texts only, the bounds of numbers only: one node can say both.
        Object.assign(node, { type: [type, 'string'], pattern: PLACEHOLDER });
        if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
        if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
      } else if (node.type === 'string' && node.enum !== undefined) {
        const choices = { type: 'string', enum: node.enum };
        delete node.type;
        delete node.enum;
        Object.assign(node, { anyOf: [choices, { type: 'string', pattern: PLACEHOLDER }] });
      } else if (node.pattern !== undefined && !node.pattern.endsWith(PLACEHOLDER)) {
        node.pattern = `(?:${node.pattern})|${PLACEHOLDER}`;
      }
    },
  });
  return {
    ...schema,
    title: 'Slipway config',
    description: 'Config file of Slipway: watched folders and where their files go.',
  };
}
