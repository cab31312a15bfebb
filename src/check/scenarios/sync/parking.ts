/** Requests that wait for a lock without a thread that sleeps for it, as the mount's slow lane has them. */
import type { Kernel } from "../../../kernel/kernel.ts";

/** Milliseconds: a safety net only. */
const LONG_MS = 1000;

/**
 * Tries until it works: first when the request arrives, once more when it has been counted as parked, then whenever a lock
 * has become free. Offline for RCU while it sleeps. @pre the thread must not sleep for locks
 */
export function parkUntil(k: Kernel, attempt: () => boolean): void {
  if (attempt()) return;
  const { parkWord } = k.t;
  k.m.add(parkWord + 1, 1);
  for (;;) {
    const ticket = k.m.load(parkWord);
    if (attempt()) break;
    k.idle();
    k.m.wait(parkWord, ticket, LONG_MS);
    k.busy();
  }
  k.m.add(parkWord + 1, -1);
}
