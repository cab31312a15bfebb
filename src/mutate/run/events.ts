/** What happens when: a priority queue of events, earliest first, in order of arrival at equal times. */

/** Anything that waits for its moment. */
export interface Timed {
  /** Nanoseconds of boot time. */
  at: number;
  /** Set by the queue: breaks ties, so that equal runs are equal to the last byte. */
  order: number;
}

/** A binary heap. Idle processes have no events, so they cost nothing. */
export class EventQueue<E extends Timed> {
  private readonly heap: E[] = [];
  private arrivals = 0;

  size(): number {
    return this.heap.length;
  }

  /** Adds an event at its `at`. */
  push(event: E): void {
    event.order = this.arrivals++;
    const { heap } = this;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(event, heap[above] as E)) break;
      heap[at] = heap[above] as E;
      at = above;
    }
    heap[at] = event;
  }

  /** The earliest event if its moment is not after `now`, taken out; else null. */
  due(now: number): E | null {
    const { heap } = this;
    const first = heap[0];
    if (first === undefined || first.at > now) return null;
    const last = heap.pop() as E;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  /** Moment of the earliest event; Infinity if there is none. */
  next(): number {
    return this.heap[0]?.at ?? Infinity;
  }

  /** Puts `event` at the root and lets it find its place. */
  private sink(event: E): void {
    const { heap } = this;
    const size = heap.length;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && before(heap[below + 1] as E, heap[below] as E)) below++;
      if (!before(heap[below] as E, event)) break;
      heap[at] = heap[below] as E;
      at = below;
    }
    heap[at] = event;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
