/** Where everything was before each step of an execution, so that the next one can begin at any of them. */
import { MAX_THREADS } from "./operation.ts";

export class Marks {
  /** Lengths of the journals. */
  readonly arena: Int32Array;
  readonly order: Int32Array;
  readonly objects: Int32Array;
  /** Sets of threads. */
  readonly enabled: Uint8Array;
  readonly ready: Uint8Array;
  readonly napping: Uint8Array;
  /** By step and thread: where it is (behaviour.ts), its sleeps that may run out of time, when it fell asleep, its state. */
  readonly node: Int32Array;
  readonly timeouts: Int32Array;
  readonly asleepSince: Int32Array;
  readonly state: Uint8Array;

  constructor(steps: number) {
    this.arena = new Int32Array(steps);
    this.order = new Int32Array(steps);
    this.objects = new Int32Array(steps);
    this.enabled = new Uint8Array(steps);
    this.ready = new Uint8Array(steps);
    this.napping = new Uint8Array(steps);
    this.node = new Int32Array(steps * MAX_THREADS);
    this.timeouts = new Int32Array(steps * MAX_THREADS);
    this.asleepSince = new Int32Array(steps * MAX_THREADS);
    this.state = new Uint8Array(steps * MAX_THREADS);
  }
}
