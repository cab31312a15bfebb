/** A mount through the direct transport: its threads, its watchdog, its life and its end. */
import { closeSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import { Control, allocateControl } from "./control.ts";
import { MountError, errorText } from "./errors.ts";
import { abortConnection, detachAtExit, mountDevice, prepareMountPoint, unmountOnce } from "./mount-point.ts";
import type { MountRecord } from "./mountinfo.ts";
import { mountAt } from "./mountinfo.ts";
import { NotifyRing } from "./notify.ts";
import { opcodeName } from "./opcodes.ts";
import type { MountPlan, MountStats, MountedFileSystem } from "./options.ts";
import { ParkingLot } from "./parking.ts";
import { spawnThread } from "./spawn-thread.ts";
import { openFuse } from "./transport/dev.ts";
import { Watchdog } from "./watchdog.ts";
import type { Role, ThreadData, ThreadMessage } from "./worker.ts";

/** How long the kernel may take to send INIT after mount(8) has succeeded. */
const INIT_TIMEOUT_MS = 5000;

interface Thread {
  role: Role;
  worker: Worker;
  ready: Promise<void>;
  ended: Promise<void>;
}

export class DeviceMount implements MountedFileSystem {
  readonly transport = "dev";
  readonly why: string;
  readonly closed: Promise<void>;
  dir = "";
  kernelMinor = 0;
  private readonly plan: MountPlan;
  private readonly control: Control;
  private readonly controlBuffer: SharedArrayBuffer;
  private readonly lot: ParkingLot;
  private readonly ring: NotifyRing;
  private threads: Thread[] = [];
  private record: MountRecord | null = null;
  private watchdog: Watchdog | null = null;
  private unmounting: Promise<void> | null = null;
  private initDone: () => void = () => undefined;
  private finish: () => void = () => undefined;
  private readonly atExit = (): void => {
    if (this.record !== null) detachAtExit(this.dir, this.record, this.plan.procRoot);
  };

  constructor(plan: MountPlan, why: string) {
    this.plan = plan;
    this.why = why;
    this.controlBuffer = allocateControl(plan.workers + 2);
    this.control = new Control(this.controlBuffer);
    this.lot = new ParkingLot(plan.shared.lot, plan.shared.wake);
    this.ring = new NotifyRing(plan.shared.ring);
    this.closed = new Promise((resolve) => (this.finish = resolve));
  }

  /**
   * Threads first, behind a gate; then the mount. A thread that starts reads /proc, and if that were our own mount by
   * then, it would wait for itself.
   */
  async start(): Promise<this> {
    const { plan } = this;
    const prepared = await prepareMountPoint(plan.dir, plan.name, plan.procRoot);
    this.dir = prepared.dir;
    if (prepared.clearedStale) plan.logger.warn(`cleared a dead mount of ours from ${prepared.dir}`);
    const fd = openFuse();
    try {
      this.startThreads(fd);
      await Promise.all(this.threads.map((thread) => thread.ready));
      if (plan.watchdog) this.watchdog = await Watchdog.start(this.dir, plan.procRoot);
      await this.mount(fd);
    } catch (error) {
      await this.giveUp(fd);
      throw error;
    }
    void this.waitForEnd(fd);
    void this.watchSlowLane();
    return this;
  }

  stats(): MountStats {
    const messages: Record<string, number> = {};
    this.control.counts().forEach((count, opcode) => {
      if (count > 0) messages[opcode === 0 ? "UNKNOWN" : opcodeName(opcode)] = count;
    });
    const { parked, refused } = this.lot.totals();
    return {
      messages,
      waiting: this.lot.waiting(),
      parked,
      parkingRefused: refused,
      notificationsDropped: this.ring.dropped(),
    };
  }

  unmount(): Promise<void> {
    this.unmounting ??= this.takeDown();
    return this.unmounting;
  }

  private startThreads(fd: number): void {
    for (let i = 0; i < this.plan.workers; i++) this.startThread("serve", i, fd);
    this.startThread("slow", this.plan.workers, fd);
    this.startThread("notify", this.plan.workers + 1, fd);
  }

  private startThread(role: Role, index: number, fd: number): void {
    const { plan } = this;
    const data: ThreadData = {
      role,
      index,
      fd,
      control: this.controlBuffer,
      lot: plan.shared.lot,
      wake: plan.shared.wake,
      ring: plan.shared.ring,
      fileSystemModule: plan.fileSystemModule,
      data: plan.data,
      procRoot: plan.procRoot,
      debug: plan.debug,
      record: plan.record,
      readdirPlus: plan.readdirPlus,
    };
    const worker = spawnThread("worker", { workerData: data, name: `synthproc-${role}-${index}` });
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    const ready = new Promise<void>((resolve, reject) => {
      worker.on("message", (message: ThreadMessage) => this.hear(role, index, message, resolve));
      worker.once("error", (error) => {
        reject(threadError(role, index, error));
        this.plan.logger.error(`thread ${role}-${index} ended: ${errorText(error)}`);
      });
    });
    this.threads.push({ role, worker, ready, ended });
  }

  private hear(role: Role, index: number, message: ThreadMessage, ready: () => void): void {
    const { logger } = this.plan;
    if (message.kind === "ready") ready();
    else if (message.kind === "trace") logger.debug(message.line);
    else if (message.kind === "complaint") logger.warn(message.sentence);
    else if (message.kind === "end") logger.debug(`thread ${role}-${index} ended: ${message.why}`);
    else {
      this.kernelMinor = message.kernelMinor;
      logger.debug(
        `FUSE 7.${message.minor} agreed, kernel 7.${message.kernelMinor}, flags 0x${message.flags.toString(16)}`,
      );
      this.initDone();
    }
  }

  private async mount(fd: number): Promise<void> {
    const { plan } = this;
    const init = new Promise<void>((resolve) => (this.initDone = resolve));
    // Before mount(8), which may look at what it has mounted: somebody must answer it.
    this.control.openGate();
    await mountDevice(fd, this.dir, plan.name, plan.mountOptions);
    this.record = mountAt(this.dir, plan.procRoot);
    if (this.record === null) {
      throw new MountError("ESYNTH_MOUNT_FAILED", `mount(8) succeeded, but nothing is mounted on ${this.dir}.`);
    }
    this.watchdog?.mounted(this.record.device);
    process.once("exit", this.atExit);
    await withTimeout(init, INIT_TIMEOUT_MS, `The kernel did not start the FUSE protocol on ${this.dir}.`);
  }

  /** Ends everything after a failed start. */
  private async giveUp(fd: number): Promise<void> {
    this.control.cancel();
    this.lot.raise();
    this.ring.rouse();
    if (this.record !== null) await this.detachOrLog(this.record);
    await this.tidyUp(fd);
  }

  /** Runs beside the mount: when the last serving thread has ended, whoever unmounted, tidies up. */
  private async waitForEnd(fd: number): Promise<void> {
    await Promise.all(this.threads.filter((thread) => thread.role === "serve").map((thread) => thread.ended));
    this.control.stop();
    this.lot.raise();
    this.ring.rouse();
    if (this.record !== null && mountAt(this.dir, this.plan.procRoot)?.device === this.record.device) {
      // Every thread has ended, but not because of an unmount: don't leave a dead mount behind.
      this.plan.logger.error(`no thread serves ${this.dir} any more; unmounting it`);
      await this.detachOrLog(this.record);
    }
    await this.tidyUp(fd);
  }

  /** Without the slow lane, who waits would wait for ever: rather no mount than such a one. */
  private async watchSlowLane(): Promise<void> {
    await Promise.all(this.threads.filter((thread) => thread.role === "slow").map((thread) => thread.ended));
    if (this.control.stopped()) return;
    this.plan.logger.error("the thread that answers waiting requests has ended; unmounting");
    await this.unmount().catch((error: unknown) => this.plan.logger.error(errorText(error)));
  }

  private async detachOrLog(record: MountRecord): Promise<void> {
    await this.detach(record, 0).catch((error: unknown) => this.plan.logger.error(errorText(error)));
  }

  private async tidyUp(fd: number): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.ended));
    await this.watchdog?.done();
    process.removeListener("exit", this.atExit);
    closeSync(fd);
    this.finish();
  }

  private async takeDown(): Promise<void> {
    if (this.record !== null) await this.detach(this.record, this.plan.graceMs);
    await this.closed;
  }

  /** Unmounts; a busy mount is taken out of the tree at once and aborted if its users do not leave in time. */
  private async detach(record: MountRecord, graceMs: number): Promise<void> {
    const { plan } = this;
    const outcome = await unmountOnce(this.dir, record, false, plan.procRoot);
    if (outcome !== "busy") return;
    plan.logger.info(`${this.dir} is in use; detached it`);
    await unmountOnce(this.dir, record, true, plan.procRoot);
    const ended = Promise.all(this.threads.filter((thread) => thread.role === "serve").map((thread) => thread.ended));
    if (await within(ended, graceMs)) return;
    if (await abortConnection(record)) plan.logger.warn(`${this.dir} was still in use after ${graceMs} ms; aborted it`);
  }
}

function threadError(role: Role, index: number, cause: unknown): MountError {
  const message = `Thread ${role}-${index} could not start: ${errorText(cause)}.`;
  return new MountError("ESYNTH_THREAD", message, { cause });
}

/** @returns false if the time ran out first */
async function within(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), milliseconds)));
  const done = await Promise.race([work.then(() => true), timeout]);
  clearTimeout(timer);
  return done;
}

async function withTimeout(work: Promise<void>, milliseconds: number, otherwise: string): Promise<void> {
  if (!(await within(work, milliseconds))) throw new MountError("ESYNTH_PROTOCOL", otherwise);
}
