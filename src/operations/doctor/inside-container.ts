import { existsSync, readFileSync } from 'node:fs';

const MARKS = ['/.dockerenv', '/run/.containerenv'];
const CGROUP = /docker|kubepods|containerd|libpod|lxc/;

/** Whether this process runs in a container, where 127.0.0.1 is not the machine the user thinks of. */
export function insideContainer(env: NodeJS.ProcessEnv): boolean {
  if (env.KUBERNETES_SERVICE_HOST !== undefined || (env.container ?? '') !== '') return true;
  if (MARKS.some((path) => existsSync(path))) return true;
  try {
    return CGROUP.test(readFileSync('/proc/1/cgroup', 'latin1'));
  } catch {
    return false;
  }
}
