/** Operations of scheduling and I/O. */
import { setWaiting } from "../../kernel/signals.ts";
import { accountIo } from "../../kernel/io-accounting.ts";
import { TASK_RUNNING, TASK_UNINTERRUPTIBLE } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, TASK } from "../../kernel/layout.ts";
import { accountArrival, accountSwitch, accountTask } from "../../kernel/task-time.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Operation } from "./operations.ts";
import { packState, stateOf, waitOf } from "./operations.ts";

type TimeOperation = Extract<Operation, { kind: "run" | "rest" | "io" | "block" | "wake" }>;

export function applyTime(k: Kernel, task: Ptr, operation: TimeOperation): number {
  switch (operation.kind) {
    case "run": {
      const before = stateNow(k, task);
      accountArrival(k, task, operation.cpu, operation.waitedNs);
      setWaiting(k, task, TASK_RUNNING, Wait.running);
      return before;
    }
    case "rest": {
      const { cpu, userNs, systemNs, faults: minorFaults } = operation;
      accountTask(k, task, { cpu, userNs, systemNs, minorFaults });
      accountSwitch(k, task, operation.preempted);
      setWaiting(k, task, stateOf(operation.state), waitOf(operation.state));
      return 0;
    }
    case "io":
      doIo(k, task, operation);
      return 0;
    case "block": {
      const before = stateNow(k, task);
      setWaiting(k, task, TASK_UNINTERRUPTIBLE, Wait.disk);
      accountSwitch(k, task, false);
      return before;
    }
    case "wake":
      setWaiting(k, task, stateOf(operation.state), waitOf(operation.state));
      return 0;
  }
}

function stateNow(k: Kernel, task: Ptr): number {
  return packState(k.m.load(task + TASK.state), k.m.load(task + TASK.waitKind));
}

/** Bytes that one interrupt of a disk or network card stands for. */
const BYTES_PER_INTERRUPT = 16384;

function doIo(k: Kernel, task: Ptr, io: Extract<Operation, { kind: "io" }>): void {
  accountIo(k, task, io);
  if (io.cpu >= 0) accountTask(k, task, { cpu: io.cpu, userNs: 0, systemNs: io.systemNs, minorFaults: 0 });
  const interrupts = Math.ceil((io.readBytes + io.writeBytes) / BYTES_PER_INTERRUPT);
  if (interrupts === 0) return;
  k.m.addShared64(HOST.interrupts, interrupts);
  k.m.addShared64(HOST.softirqs, interrupts);
}
