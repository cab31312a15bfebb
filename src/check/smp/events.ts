/** What happens next: a queue by virtual time, and for the same moment by the order of being entered. */

/** An entry: the queue keeps it until its moment. */
export interface Timed {
  /** Nanoseconds. */
  time: number;
  /** Set by the queue. */
  order: number;
}

/** A binary heap. */
export class EventQueue<E extends Timed> {
  private readonly heap: E[] = [];
  private entered = 0;

  /** The moment of the next event; Infinity if there is none. */
  nextTime(): number {
    return this.heap[0]?.time ?? Infinity;
  }

  push(event: E): void {
    event.order = this.entered++;
    const { heap } = this;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as E)) break;
      heap[at] = heap[parent] as E;
      at = parent;
    }
    heap[at] = event;
  }

  /** Takes the next event out; undefined if there is none. */
  pop(): E | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.sink(last);
    return first;
  }

  /** Puts an event where the first one was, and lets it sink to its place. */
  private sink(event: E): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as E, heap[child] as E)) child++;
      if (!before(heap[child] as E, event)) break;
      heap[at] = heap[child] as E;
      at = child;
    }
    heap[at] = event;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
