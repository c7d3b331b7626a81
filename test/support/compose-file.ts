/**
 * The part of the Compose specification that our file uses, strictly: an unknown or misspelt key is an error, as it
 * is in Compose itself. Written from the specification's own words (services, healthcheck, depends_on, volumes).
 */
import { z } from 'zod';

const duration = z.string().regex(/^(\d+(\.\d+)?(us|ms|s|m|h))+$/, 'a Compose duration such as 30s or 1m30s');
const command = z.array(z.string().min(1).or(z.literal(''))).min(1);
const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/);
/** One word, repository and tag; a registry may come first. */
const image = z.string().regex(/^[a-z0-9][a-z0-9._/-]*:[\w][\w.-]*$/, 'an image with a tag');

const healthcheck = z.union([
  z.strictObject({ disable: z.literal(true) }),
  z.strictObject({
    test: z.array(z.string()).refine(([first]) => first === 'CMD', 'exec form: CMD and its words'),
    interval: duration,
    timeout: duration,
    retries: z.int().positive(),
    start_period: duration.optional(),
  }),
]);

const service = z.strictObject({
  build: z.string().optional(),
  image,
  command,
  init: z.boolean().optional(),
  user: z.string().optional(),
  restart: z.string().regex(/^(no|always|unless-stopped|on-failure(:\d+)?)$/),
  stop_grace_period: duration.optional(),
  depends_on: z
    .record(
      name,
      z.strictObject({
        condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']),
      }),
    )
    .optional(),
  environment: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), z.string()).optional(),
  extra_hosts: z.array(z.string().regex(/^[^:=\s]+[:=]\S+$/)).optional(),
  profiles: z.array(name).optional(),
  volumes: z.array(
    z.string().regex(/^[^:]+:\/[^:]*(:(ro|rw|z|Z)(,(ro|rw|z|Z))*)?$/, 'SOURCE:/TARGET[:MODE]'),
  ),
  healthcheck,
});

export const composeSchema = z
  .strictObject({
    name,
    services: z.record(name, service),
    volumes: z.record(name, z.null()),
  })
  .superRefine((file, context) => {
    for (const [own, { depends_on = {}, volumes }] of Object.entries(file.services)) {
      for (const other of Object.keys(depends_on)) {
        if (file.services[other] === undefined)
          context.addIssue(`${own} depends on ${other}, which is no service`);
      }
      for (const source of volumes.map((volume) => volume.split(':')[0] ?? '')) {
        const isNamed = !/^[./~]/.test(source);
        if (isNamed && !(source in file.volumes))
          context.addIssue(`${own} uses the volume ${source}, which is not declared`);
      }
    }
  });

export type ComposeFile = z.infer<typeof composeSchema>;

/** `${NAME}` and `${NAME:-default}` as Compose fills them in before it reads the file. */
export function interpolated(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Z_]+)(?::-([^}]*))?\}/g, (_whole, variable: string, fallback?: string) => {
    const value = env[variable] || fallback;
    if (value === undefined) throw new Error(`${variable} is not set and has no default`);
    return value;
  });
}
