import { z } from 'zod';
import { jsonUploadSchema } from '../body/read-json.ts';
import {
  autoglmAnswerSchema,
  deletedSchema,
  errorSchema,
  fileListSchema,
  fileObjectSchema,
  readinessSchema,
  vectorxAnswerSchema,
} from './api-schemas.ts';

/** What a document is about. */
export interface DescribedDoor {
  /** Prefixes of the routes, `/` among them or not. */
  readonly prefixes: readonly string[];
  /** Whether it needs keys. */
  readonly keys: boolean;
}

type Json = Readonly<Record<string, unknown>>;

const SCHEMAS = {
  File: fileObjectSchema,
  FileList: fileListSchema,
  Deleted: deletedSchema,
  Error: errorSchema,
  VectorxUpload: jsonUploadSchema,
  VectorxAnswer: vectorxAnswerSchema,
  AutoglmAnswer: autoglmAnswerSchema,
  Readiness: readinessSchema,
} as const;

/** The OpenAPI 3.1 document of a door. Pure. */
export function openApiDocument({ prefixes, keys }: DescribedDoor): Json {
  const paths = Object.assign({}, ...prefixes.map(pathsBelow), OWN_PATHS) as Json;
  return {
    openapi: '3.1.0',
    info: {
      title: 'Slipway gateway',
      version: '1',
      description: 'Any file API behind the upload calls of OpenAI, VectorX and AutoGLM',
      license: { name: 'see the package', url: 'https://www.npmjs.com/package/slipway' },
    },
    servers: [{ url: '/' }],
    ...(keys ? { security: [{ key: [] }] } : {}),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, schemaOf(schema)])),
      ...(keys ? { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } } : {}),
    },
  };
}

function schemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: 'draft-2020-12' }) as Json;
  return json;
}

function ref(name: keyof typeof SCHEMAS): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function json(name: keyof typeof SCHEMAS, description: string): Json {
  return { description, content: { 'application/json': { schema: ref(name) } } };
}

const QUEUED = (name: keyof typeof SCHEMAS): Json => ({
  ...json(name, 'mode queue: safe on disk, and sent later'),
  headers: {
    Location: { description: 'where the file is followed', schema: { type: 'string' } },
  },
});

/** zod knows no parts of a form: they are said by hand. */
function form(field: 'file' | 'files', more: Json): Json {
  return {
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: [field],
        properties: {
          [field]: { type: 'string', contentMediaType: 'application/octet-stream' },
          ...more,
        },
      },
    },
  };
}

const PURPOSE = { purpose: { type: 'string' } };
const EXPIRY = {
  'expires_after[anchor]': { type: 'string', enum: ['created_at'] },
  'expires_after[seconds]': { type: 'string', pattern: '^[0-9]+$' },
};
const MODE = {
  name: 'mode',
  in: 'query',
  description: 'overrides what the route says',
  schema: { type: 'string', enum: ['direct', 'queue'] },
};
const IDEMPOTENCY = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'makes the request repeatable for 24 hours',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};
const UPLOAD_PARAMETERS = [MODE, IDEMPOTENCY];
const ID = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
const query = (name: string, schema: Json): Json => ({ name, in: 'query', schema });
const REFUSED = json('Error', 'refused: the status says why');

/** One call below a route. */
type Call = (operation: string, rest: Json) => Json;

function pathsBelow(prefix: string): Json {
  const at = prefix === '/' ? '' : prefix;
  const name = at === '' ? 'root' : at.slice(1).replaceAll(/[^A-Za-z0-9]+/g, '_');
  const call: Call = (operation, rest) => ({ operationId: `${operation}_${name}`, ...rest });
  return { ...filesPaths(at, call), ...uploadPaths(at, call) };
}

function filesPaths(at: string, call: Call): Json {
  return {
    [`${at}/v1/files`]: {
      post: call('uploadFile', {
        summary: 'upload as OpenAI takes it',
        parameters: UPLOAD_PARAMETERS,
        requestBody: { required: true, content: form('file', { ...PURPOSE, ...EXPIRY }) },
        responses: { 200: json('File', 'uploaded'), 202: QUEUED('File'), default: REFUSED },
      }),
      get: call('listFiles', {
        parameters: [
          query('limit', { type: 'integer', minimum: 1, maximum: 10_000 }),
          query('after', { type: 'string' }),
          query('order', { type: 'string', enum: ['asc', 'desc'] }),
          query('purpose', { type: 'string' }),
        ],
        responses: { 200: json('FileList', 'files'), default: REFUSED },
      }),
    },
    [`${at}/v1/files/{id}`]: {
      get: call('retrieveFile', {
        parameters: [ID],
        responses: { 200: json('File', 'how it stands'), default: REFUSED },
      }),
      delete: call('deleteFile', {
        parameters: [ID],
        responses: { 200: json('Deleted', 'gone'), default: REFUSED },
      }),
    },
    [`${at}/v1/files/{id}/content`]: {
      get: call('fileContent', {
        parameters: [ID],
        responses: {
          200: { description: 'its bytes', content: { 'application/octet-stream': {} } },
          default: REFUSED,
        },
      }),
    },
  };
}

function uploadPaths(at: string, call: Call): Json {
  const vectorx = (operation: string, parameters: readonly Json[]): Json => ({
    post: call(operation, {
      summary: 'upload as the VectorX runtime takes it',
      parameters: [...parameters, ...UPLOAD_PARAMETERS],
      requestBody: {
        required: true,
        content: { ...form('file', PURPOSE), 'application/json': { schema: ref('VectorxUpload') } },
      },
      responses: {
        200: json('VectorxAnswer', 'the upload ran: `code` tells how'),
        202: QUEUED('VectorxAnswer'),
        '4XX': json('VectorxAnswer', 'malformed: `code` is the status'),
      },
    }),
  });
  return {
    [`${at}/upload-openai-file`]: vectorx('uploadOpenaiFile', []),
    [`${at}/v1/aiagent/agents/{agentId}/upload-openai-file`]: vectorx('uploadAgentFile', [
      { name: 'agentId', in: 'path', required: true, schema: { type: 'string' } },
    ]),
    [`${at}/agentdr/v1/assistant/upload-mix`]: {
      post: call('uploadMix', {
        summary: 'upload as AutoGLM takes it',
        parameters: UPLOAD_PARAMETERS,
        requestBody: { required: true, content: form('files', {}) },
        responses: {
          200: json('AutoglmAnswer', 'the upload ran: `code` tells how'),
          202: QUEUED('AutoglmAnswer'),
          '4XX': json('AutoglmAnswer', 'malformed: `code` is 400003'),
        },
      }),
    },
    [`${at}/tus`]: {
      post: call('createResumable', {
        summary: 'begin a resumable upload (tus 1.0)',
        parameters: [
          {
            name: 'Tus-Resumable',
            in: 'header',
            required: true,
            schema: { type: 'string', enum: ['1.0.0'] },
          },
          { name: 'Upload-Length', in: 'header', required: true, schema: { type: 'integer', minimum: 0 } },
          { name: 'Upload-Metadata', in: 'header', schema: { type: 'string' } },
        ],
        responses: {
          201: {
            description: 'begun',
            headers: {
              Location: { schema: { type: 'string' } },
              'Upload-Expires': { schema: { type: 'string' } },
            },
          },
        },
      }),
    },
  };
}

const OWN_PATHS: Json = {
  '/healthz': {
    get: {
      operationId: 'health',
      security: [],
      responses: {
        200: {
          description: 'the process answers',
          content: {
            'application/json': {
              schema: { type: 'object', properties: { status: { type: 'string', enum: ['ok'] } } },
            },
          },
        },
      },
    },
  },
  '/readyz': {
    get: {
      operationId: 'readiness',
      security: [],
      responses: {
        200: json('Readiness', 'uploads have a chance'),
        503: json('Readiness', 'they have none'),
      },
    },
  },
  '/metrics': {
    get: {
      operationId: 'metrics',
      responses: {
        200: { description: 'for Prometheus', content: { 'text/plain': { schema: { type: 'string' } } } },
      },
    },
  },
};
