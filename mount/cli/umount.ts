/** `synthproc umount DIR`: unmounts, and waits until the server has ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { abortConnection, unmountOnce } from "../mount-point.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";
import { findOurMount, isAlive, serversOf } from "./mounted.ts";

const POLL_MS = 20;
const SERVER_END_MS = 10_000;

export interface UmountOptions {
  /** Detach even if the mount is in use, and abort its connection. */
  force: boolean;
}

/** @throws CommandError if nothing of ours is there, it is in use, or its server does not end. */
export async function umount(dir: string, options: UmountOptions): Promise<number> {
  const mount = findOurMount(dir);
  const servers = serversOf(mount.record);
  const outcome = await unmountOnce(mount.dir, mount.record, options.force, "/proc");
  if (outcome === "busy") {
    throw new CommandError(EXIT.failed, `${dir} is in use; end what uses it (fuser -m ${dir}), or add --force`);
  }
  if (options.force) {
    await abortConnection(mount.record);
  }
  await serversEnd(servers);
  return EXIT.ok;
}

async function serversEnd(servers: number[]): Promise<void> {
  const deadline = performance.now() + SERVER_END_MS;
  while (servers.some(isAlive)) {
    if (performance.now() > deadline) {
      const pids = servers.filter(isAlive).join(", ");
      throw new CommandError(EXIT.mountFailed, `unmounted, but the server (pid ${pids}) has not ended`);
    }
    await sleep(POLL_MS);
  }
}
