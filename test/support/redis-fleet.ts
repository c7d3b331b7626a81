/**
 * Redis servers of a test's own on loopback ports: one with settings, a primary with replicas and Sentinels, a Cluster.
 * Made of plain `redis-server`; everything ends with the test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { onTestFinished, vi } from 'vitest';

export interface FleetServer {
  readonly port: number;
  readonly address: string;
  /** A connection for the test; it ends with the test. */
  admin(options?: { readonly username: string; readonly password: string }): Redis;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Again, with what it wrote to its disk. */
  restart(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as { port: number }).port;
    }),
  );
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/**
 * Starts one server and waits until it listens.
 * @param settings lines of redis.conf
 */
export async function startServer(
  settings: readonly string[] = [],
  how: { readonly port?: number; readonly sentinel?: boolean; readonly listens?: string } = {},
): Promise<FleetServer> {
  const port = how.port ?? (await freePorts(1))[0] ?? 0;
  const folder = mkdtempSync(join(tmpdir(), 'sw-fleet-'));
  const conf = join(folder, 'redis.conf');
  const log = join(folder, 'log');
  const given = settings.some((line) => /^(port|tls-port) /.test(line)) ? [] : [`port ${port}`];
  writeFileSync(
    conf,
    [...given, 'bind 127.0.0.1', `dir ${folder}`, `logfile ${log}`, ...settings, ''].join('\n'),
  );
  const admins: Redis[] = [];
  let child: ChildProcess | null = null;

  async function start(): Promise<void> {
    const args = how.sentinel === true ? [conf, '--sentinel'] : [conf];
    const started = spawn('redis-server', args, { stdio: 'ignore' });
    child = started;
    await vi.waitFor(
      () => {
        const text = readFileSync(log, 'utf8');
        if (started.exitCode !== null) throw new Error(`redis-server ended: ${text.slice(-400)}`);
        if (!/Ready to accept connections|Sentinel ID is/.test(text.slice(text.lastIndexOf('oO0OoO0Oo'))))
          throw new Error('it does not listen yet');
      },
      { timeout: 20_000, interval: 20 },
    );
  }

  async function kill(): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    child = null;
  }

  onTestFinished(async () => {
    for (const admin of admins) admin.disconnect();
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return {
    port,
    address: `127.0.0.1:${port}`,
    admin(options) {
      const connection = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null, ...options });
      connection.on('error', () => undefined);
      admins.push(connection);
      return connection;
    },
    kill,
    restart: start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
  };
}

const KEEPS = ['appendonly yes', 'save ""', 'repl-diskless-sync-delay 0'];
/** Milliseconds without an answer after which the others take a node for dead. */
const DEAD_MS = 1_000;

/** A primary `mymaster`, replicas of it, and three Sentinels that agree by two. */
export async function startSentinels(
  options: { readonly replicas?: number; readonly settings?: readonly string[] } = {},
) {
  const { replicas = 2, settings = [] } = options;
  const primary = await startServer([...KEEPS, ...settings]);
  const followers = await Promise.all(
    Array.from({ length: replicas }, () =>
      startServer([...KEEPS, ...settings, `replicaof 127.0.0.1 ${primary.port}`]),
    ),
  );
  const admin = primary.admin();
  await vi.waitFor(async () => {
    const text = await admin.info('replication');
    if ((text.match(/state=online/g) ?? []).length !== replicas)
      throw new Error('replicas are not there yet');
  });
  const sentinels = await Promise.all(
    [1, 2, 3].map(() =>
      startServer(
        [
          `sentinel monitor mymaster 127.0.0.1 ${primary.port} 2`,
          `sentinel down-after-milliseconds mymaster ${DEAD_MS}`,
          'sentinel failover-timeout mymaster 5000',
        ],
        { sentinel: true },
      ),
    ),
  );
  const asked = (sentinels[0] as FleetServer).admin();
  await vi.waitFor(
    async () => {
      const fields = (await asked.call('SENTINEL', 'MASTER', 'mymaster')) as string[];
      const field = (name: string): number => Number(fields[fields.indexOf(name) + 1]);
      if (field('num-other-sentinels') !== 2 || field('num-slaves') !== replicas)
        throw new Error('the Sentinels do not know one another yet');
    },
    { timeout: 30_000 },
  );
  return {
    primary,
    followers,
    sentinels,
    addresses: sentinels.map(({ address }) => address),
    /** The port of the one that is primary now. */
    async primaryPort(): Promise<number> {
      const [, port] = (await asked.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')) as string[];
      return Number(port);
    },
  };
}

const SLOTS = 16_384;

/** Primaries that share the slots, each with one replica. */
export async function startCluster(
  options: { readonly primaries?: number; readonly replicated?: boolean } = {},
) {
  const { primaries = 3, replicated = true } = options;
  const count = replicated ? 2 * primaries : primaries;
  const ports = await freePorts(2 * count);
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      startServer(
        [
          ...KEEPS,
          'cluster-enabled yes',
          `cluster-node-timeout ${DEAD_MS}`,
          `cluster-port ${ports[count + index]}`,
          'cluster-replica-validity-factor 0',
        ],
        { port: ports[index] as number },
      ),
    ),
  );
  const admins = nodes.map((node) => node.admin());
  const share = SLOTS / primaries;
  await Promise.all(
    admins.slice(0, primaries).map((admin, index) => {
      const [first, last] = [Math.round(index * share), Math.round((index + 1) * share) - 1];
      return admin.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
    }),
  );
  for (const [index, port] of ports.slice(1, count).entries())
    await admins[0]?.call('CLUSTER', 'MEET', '127.0.0.1', port, ports[count + index + 1] as number);
  const ids = await Promise.all(admins.map(async (admin) => String(await admin.call('CLUSTER', 'MYID'))));
  for (const [index, admin] of admins.slice(primaries).entries())
    await vi.waitFor(() => admin.call('CLUSTER', 'REPLICATE', ids[index] as string), {
      timeout: 30_000,
      interval: 100,
    });
  await vi.waitFor(
    async () => {
      for (const admin of admins) {
        const text = String(await admin.call('CLUSTER', 'INFO'));
        if (!text.includes('cluster_state:ok') || !text.includes(`cluster_known_nodes:${count}`))
          throw new Error('the Cluster is not whole yet');
      }
      for (const admin of admins.slice(primaries))
        if (!(await admin.info('replication')).includes('master_link_status:up'))
          throw new Error('a replica has no copy yet');
    },
    { timeout: 30_000, interval: 100 },
  );
  return { nodes, addresses: nodes.slice(0, primaries).map(({ address }) => address) };
}
