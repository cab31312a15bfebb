/**
 * The control block that a mount's threads share: a gate before serving, a stop sign, what INIT agreed on, and one
 * counter per thread and opcode.
 */
import * as abi from "./abi.ts";
import { SharedWords, allocateShared } from "./shared.ts";

const GATE = 0;
const STOP = 1;
const KERNEL_MINOR = 2;
const HEADER_WORDS = 16;
const COUNTERS = 64;

const CLOSED = 0;
const OPEN = 1;
const CANCELLED = 2;

/** Longest uninterrupted sleep at the gate; a safety net only. */
const GATE_SLEEP_MS = 1000;

export function allocateControl(threads: number): SharedArrayBuffer {
  return allocateShared(HEADER_WORDS + threads * COUNTERS);
}

export class Control {
  private readonly words: SharedWords;
  private readonly threads: number;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new SharedWords(buffer);
    this.threads = (buffer.byteLength / 4 - HEADER_WORDS) / COUNTERS;
  }

  /** Lets the threads begin: the device is about to be mounted. */
  openGate(): void {
    this.words.store(GATE, OPEN);
    this.words.wake(GATE);
  }

  /** Sends the threads home: there will be no mount. */
  cancel(): void {
    this.words.store(GATE, CANCELLED);
    this.words.wake(GATE);
    this.stop();
  }

  /** Sleeps until the gate opens. @returns false if it was cancelled */
  waitAtGate(): boolean {
    while (this.words.load(GATE) === CLOSED) this.words.wait(GATE, CLOSED, GATE_SLEEP_MS);
    return this.words.load(GATE) === OPEN;
  }

  isCancelled(): boolean {
    return this.words.load(GATE) === CANCELLED;
  }

  /** Between two tries to read a device that is not mounted yet; cut short by cancel(). */
  waitForMount(milliseconds: number): void {
    this.words.wait(GATE, OPEN, milliseconds);
  }

  stop(): void {
    this.words.store(STOP, 1);
    this.words.wake(STOP);
  }

  stopped(): boolean {
    return this.words.load(STOP) !== 0;
  }

  /** The kernel's protocol version is known from INIT on; 0 before. */
  setKernelMinor(minor: number): void {
    this.words.store(KERNEL_MINOR, minor);
  }

  kernelMinor(): number {
    return this.words.load(KERNEL_MINOR);
  }

  /** Counts a message of this opcode; each thread has counters of its own. */
  count(thread: number, opcode: number): void {
    this.words.count(HEADER_WORDS + thread * COUNTERS + (opcode > 0 && opcode < abi.OPCODE_LIMIT ? opcode : 0));
  }

  /** Messages so far by opcode, all threads together; index 0 counts unknown opcodes. */
  counts(): number[] {
    const sums = new Array<number>(abi.OPCODE_LIMIT).fill(0);
    for (let thread = 0; thread < this.threads; thread++) {
      for (let opcode = 0; opcode < abi.OPCODE_LIMIT; opcode++) {
        sums[opcode] = (sums[opcode] as number) + (this.words.load(HEADER_WORDS + thread * COUNTERS + opcode) >>> 0);
      }
    }
    return sums;
  }
}
