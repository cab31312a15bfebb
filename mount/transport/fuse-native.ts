/** The portable transport: the npm package fuse-native, on the main thread. */
import { RealCallers } from "../caller.ts";
import { MountError, errorText } from "../errors.ts";
import { loadFileSystem } from "../file-system-module.ts";
import { abortConnection, prepareMountPoint, unmountOnce, waitForConnectionEnd } from "../mount-point.ts";
import type { MountRecord } from "../mountinfo.ts";
import { mountAt } from "../mountinfo.ts";
import { NotifyRing } from "../notify.ts";
import type { MountPlan, MountStats, MountedFileSystem } from "../options.ts";
import { Watchdog } from "../watchdog.ts";
import type { NativeMount, Operations, Signal } from "./native-binding.ts";
import { deviceProblem } from "./dev.ts";
import { loadNative } from "./native-binding.ts";
import { NativeOperations } from "./native-operations.ts";

export { nativeProblem } from "./native-binding.ts";

/** What the fuse-native transport cannot do; for --help and the README. */
export const FUSE_NATIVE_LIMITS: readonly string[] = [
  "It serves from one thread, the main thread, whatever --workers says.",
  "It does not know who asks: every caller is treated as the user who mounted.",
  "For the same reason self and thread-self lead to the server, so /dev/stdin and <( ) don't work below run.",
  "A program that waits for a lock can be interrupted or killed only once the lock is free.",
  "Names are looked up again each time: the kernel is never told that one became wrong, so it may keep none.",
  "ioctl(2) fails with ENOTTY on everything, so lsns shows nothing.",
  "Names and link texts that are not UTF-8 are garbled, and inode numbers are cut to 32 bits.",
  "A directory is read as a whole, at the moment when its first entry is asked for.",
  "Recording and message counts are not available.",
];

/** How often the transport looks whether somebody else has unmounted: nothing tells it. */
const POLL_MS = 250;

class NativeFileSystemMount implements MountedFileSystem {
  readonly transport = "fuse-native";
  readonly why: string;
  readonly kernelMinor = 0;
  readonly closed: Promise<void>;
  dir = "";
  private readonly plan: MountPlan;
  private readonly ring: NotifyRing;
  private record: MountRecord | null = null;
  private watchdog: Watchdog | null = null;
  private unmounting: Promise<void> | null = null;
  private finish: () => void = () => undefined;
  private letGo: () => void = () => undefined;

  constructor(plan: MountPlan, why: string) {
    this.plan = plan;
    this.why = why;
    this.ring = new NotifyRing(plan.shared.ring);
    this.closed = new Promise((resolve) => (this.finish = resolve));
  }

  async start(): Promise<this> {
    const { plan } = this;
    const prepared = await prepareMountPoint(plan.dir, plan.name, plan.procRoot);
    this.dir = prepared.dir;
    if (prepared.clearedStale) plan.logger.warn(`cleared a dead mount of ours from ${prepared.dir}`);
    const callers = new RealCallers(plan.procRoot);
    const operations = new NativeOperations(
      await loadFileSystem(plan.fileSystemModule, plan.data, { thread: 0, role: "serve", callers }),
      this.mounter(),
      (pid) => callers.tgid(pid) !== 0,
      (sentence) => plan.logger.warn(sentence),
    );
    if (plan.watchdog) this.watchdog = await Watchdog.start(this.dir, plan.procRoot);
    try {
      await this.mount(operations);
    } catch (error) {
      await this.watchdog?.done();
      throw error;
    }
    this.record = mountAt(this.dir, plan.procRoot);
    if (this.record !== null) this.watchdog?.mounted(this.record.device);
    const timer = setInterval(() => void this.look(timer), POLL_MS);
    return this;
  }

  stats(): MountStats {
    return { messages: {}, waiting: 0, parked: 0, parkingRefused: 0, notificationsDropped: this.ring.dropped() };
  }

  unmount(): Promise<void> {
    this.unmounting ??= this.takeDown();
    return this.unmounting;
  }

  private mounter(): { uid: number; gid: number; pid: number } {
    return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: process.pid };
  }

  private async mount(operations: NativeOperations): Promise<void> {
    const { plan, dir } = this;
    const native = loadNative();
    const options = ["direct_io", "use_ino", "allow_other", "nosuid", "nodev", "noexec", `fsname=${plan.name}`];
    options.push("entry_timeout=0", "attr_timeout=0", "negative_timeout=0", ...plan.mountOptions);
    const Fuse = class extends native.Fuse {
      override _fuseOptions(): string {
        return `-o${options.join(",")}`;
      }
      override _op_fgetattr(signal: Signal, _path: string, fd: number): void {
        operations.fgetattr(signal, fd);
      }
    };
    const mount: NativeMount = new Fuse(dir, operations.table() as Operations, { timeout: false });
    await new Promise<void>((resolve, reject) => {
      mount.mount((error) => (error ? reject(mountFailed(dir, error)) : resolve()));
    });
    this.letGo = () => {
      operations.close();
      native.forget(dir, mount);
    };
  }

  /** Ends the mount's life here once it is no longer mounted, whoever did it. */
  private async look(timer: NodeJS.Timeout): Promise<void> {
    if (this.record !== null && mountAt(this.dir, this.plan.procRoot)?.device === this.record.device) return;
    clearInterval(timer);
    this.letGo();
    this.letGo = () => undefined;
    await this.watchdog?.done();
    this.finish();
  }

  private async takeDown(): Promise<void> {
    if (this.record !== null) await this.detach(this.record);
    await this.closed;
  }

  private async detach(record: MountRecord): Promise<void> {
    const { plan, dir } = this;
    if ((await unmountOnce(dir, record, false, plan.procRoot)) !== "busy") return;
    plan.logger.info(`${dir} is in use; detached it`);
    await unmountOnce(dir, record, true, plan.procRoot);
    if (await waitForConnectionEnd(record, plan.graceMs)) return;
    if (await abortConnection(record)) plan.logger.warn(`${dir} was still in use after ${plan.graceMs} ms; aborted it`);
  }
}

/** What libfuse says is on standard error already, and rarely says it all: without the device nothing can work. */
function mountFailed(dir: string, error: unknown): MountError {
  const problem = deviceProblem();
  if (problem !== null) {
    const missing = problem.startsWith("there is no");
    const remedy = missing ? "load the fuse module (modprobe fuse)" : "root may, or a member of its group";
    const text = `Nothing can be mounted on ${dir}: ${problem} (${remedy}).`;
    return new MountError(missing ? "ESYNTH_NO_FUSE" : "ESYNTH_PERMISSION", text, { cause: error });
  }
  const message = `fuse-native could not mount on ${dir}: ${errorText(error)}.`;
  return new MountError("ESYNTH_MOUNT_FAILED", message, { cause: error });
}

export function mountNative(plan: MountPlan, why: string): Promise<MountedFileSystem> {
  return new NativeFileSystemMount(plan, why).start();
}
