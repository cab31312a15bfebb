/**
 * What mutators decide to do: plain data, made by `step*` functions without looking at the simulation, carried out by
 * `apply`. Times are nanoseconds of boot time; pages and bytes as named. `tid` is the thread that acts.
 */
import type { ExecFailure } from "../failing.ts";
import type { ByteString } from "../scenario-types.ts";

/** Which process an operation is for: a pid, and which use of it. */
export interface Who {
  readonly pid: number;
  readonly generation: number;
}

export type Operation =
  /**
   * A thread gets a CPU for `ns`, until `untilNs`, having waited for it. Gives its state before, packed; see
   * {@link packState}.
   */
  | { kind: "run"; tid: number; cpu: number; waitedNs: number; ns: number; untilNs: number; userShare: number }
  /** It gives the CPU back: what it used, and how it waits now (a packed state); `preempted` if it wanted more. */
  | {
      kind: "rest";
      tid: number;
      cpu: number;
      userNs: number;
      systemNs: number;
      faults: number;
      preempted: boolean;
      state: number;
    }
  | {
      kind: "io";
      tid: number;
      rchar: number;
      wchar: number;
      syscr: number;
      syscw: number;
      readBytes: number;
      writeBytes: number;
      /** CPU that the system calls ran on, -1 for not to be counted. */
      cpu: number;
      systemNs: number;
    }
  /**
   * Gives the new pid: `pid` if that isn't 0 and is free. With `vfork`, the calling thread waits in state D until it is
   * woken.
   */
  | { kind: "fork"; tid: number; vfork: boolean; startNs: number; owner: number; pid: number }
  /** Waits uninterruptibly, on a disk. Gives the state before, packed. */
  | { kind: "block"; tid: number }
  /** A thread waits in this state (packed) from now on. */
  | { kind: "wake"; tid: number; state: number }
  /**
   * `setuid` is -1 for the program's own bit, else the user whose identity it takes on. Held until `untilNs`, 0 for not at
   * all. Gives 1 if it has failed halfway, which is the end of the process; a held one that will fail gives 0.
   */
  | {
      kind: "exec";
      tid: number;
      exe: ByteString;
      args: readonly ByteString[];
      env: readonly ByteString[];
      seed: number;
      setuid: number;
      nonDumpable: boolean;
      fail: ExecFailure;
      untilNs: number;
    }
  /** Gives the new tid. An empty name is inherited. */
  | { kind: "clone"; tid: number; name: ByteString; startNs: number }
  | { kind: "endThread"; tid: number }
  /** `code` as wait(2) has it. */
  | { kind: "exit"; code: number }
  /** Gives the address; `touched` pages become resident. An empty path: anonymous memory. */
  | { kind: "mmap"; length: number; touched: number; path: ByteString; writable: boolean }
  | { kind: "munmap"; address: number; length: number }
  | { kind: "mprotect"; address: number; length: number; writable: boolean }
  /** Gives the new address. */
  | { kind: "mremap"; address: number; oldLength: number; newLength: number }
  /** Grows or shrinks the heap. Gives the new size of the heap. */
  | { kind: "brk"; grow: number }
  /** Gives the timer's id. `target` is the pid or tid that is notified. */
  | {
      kind: "timerCreate";
      signal: number;
      notify: number;
      target: number;
      clock: number;
      value: number;
      intervalNs: number;
    }
  | { kind: "timerDelete"; id: number }
  | { kind: "setuid"; uid: number }
  | { kind: "rename"; tid: number; name: ByteString }
  /** Gives the descriptor; for a pipe, the read end * 65536 + the write end. */
  | { kind: "open"; what: "file" | "socket" | "pipe" | "eventfd"; path: ByteString }
  /** `fd` as `open` gave it. */
  | { kind: "close"; what: "file" | "socket" | "pipe" | "eventfd"; fd: number }
  | { kind: "stop" }
  | { kind: "continue" }
  /** Held until `untilNs`; 0: not at all. */
  | { kind: "tsync"; untilNs: number }
  | { kind: "dumpable"; value: 0 | 1 }
  | { kind: "limit"; lower: boolean }
  | { kind: "signal"; signal: number }
  /** Its descriptors of `path` are opened anew: a file with inode `ino` has taken the name. */
  | { kind: "reopen"; path: ByteString; rotated: ByteString; ino: number };

export type OperationKind = Operation["kind"];

const WAIT_BITS = 16;
const WAIT_MASK = (1 << WAIT_BITS) - 1;

/** A task's state and wait kind in one number. */
export function packState(state: number, waitKind: number): number {
  return state * (WAIT_MASK + 1) + waitKind;
}

export function stateOf(packed: number): number {
  return Math.floor(packed / (WAIT_MASK + 1));
}

export function waitOf(packed: number): number {
  return packed & WAIT_MASK;
}

/** Both ends of a pipe in one number. */
export function packPipe(read: number, write: number): number {
  return read * 65536 + write;
}

export function pipeEnds(packed: number): readonly [number, number] {
  return [Math.floor(packed / 65536), packed % 65536];
}
