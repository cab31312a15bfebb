/**
 * Mounting a simulated file system: the library's way in.
 *
 *     const mounted = await mountFileSystem({ dir, fileSystemModule, data });
 *     await mounted.unmount();
 */
import { MountError } from "./errors.ts";
import { DeviceMount } from "./device-mount.ts";
import { checkOptions } from "./options.ts";
import type { MountOptions, MountedFileSystem } from "./options.ts";
import { chooseTransport } from "./transport/transport.ts";

export type { Logger, MountOptions, MountShared, MountedFileSystem, MountStats } from "./options.ts";
export { createMountShared } from "./options.ts";
export { MountError };

/**
 * Mounts a file system and serves it until unmount() is called, someone else unmounts it, or this process ends.
 *
 * Nothing in this process may look into the mount synchronously on the main thread while mounting or unmounting: use
 * child processes or asynchronous calls.
 *
 * @throws MountError with a code of errors.ts; nothing stays mounted and no thread stays behind
 */
export async function mountFileSystem(options: MountOptions): Promise<MountedFileSystem> {
  const plan = checkOptions(options);
  const choice = await chooseTransport(plan.transport);
  plan.logger.info(`transport ${choice.name}: ${choice.why}`);
  if (choice.name === "dev") return new DeviceMount(plan, choice.why).start();
  const { mountNative } = await import("./transport/fuse-native.ts");
  return mountNative(plan, choice.why);
}
