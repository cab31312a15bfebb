/** Thread bodies of sync.test.ts. Each gets the arena and the addresses it works on. */
import { Cache } from "../../src/kernel/caches.ts";
import { TOKEN } from "../../src/kernel/layout.ts";
import { LockClass } from "../../src/sync/lockdep.ts";
import { lockrefGetNotDead, lockrefPut } from "../../src/sync/lockref.ts";
import { downReadKillable, downWrite, upRead, upWrite } from "../../src/sync/rwsem.ts";
import { readSeqbegin, readSeqretry, writeSeqlock, writeSequnlock } from "../../src/sync/seqlock.ts";
import { spinLock, spinUnlock } from "../../src/sync/spinlock.ts";
import { joinKernel } from "../support/kernel.ts";

export interface Job {
  buffer: SharedArrayBuffer;
  /** First of the words that the test carved for itself. */
  at: number;
  rounds: number;
}

/** Adds to an unprotected pair of words under a spinlock at `at`. */
export function spin({ buffer, at, rounds }: Job): number {
  const k = joinKernel(buffer);
  for (let i = 0; i < rounds; i++) {
    spinLock(k.t, at, LockClass.registry);
    k.m.store(at + 1, k.m.load(at + 1) + 1);
    spinUnlock(k.t, at, LockClass.registry);
  }
  k.idle();
  return rounds;
}

/** Writes pairs under a rwsem; readers count pairs that differ. Odd jobs read. */
export function rwsem({ buffer, at, rounds, writer }: Job & { writer: boolean }): number {
  const k = joinKernel(buffer);
  let torn = 0;
  for (let i = 0; i < rounds; i++) {
    if (writer) {
      downWrite(k.t, at, LockClass.mmap);
      const next = k.m.load(at + 8) + 1;
      k.m.store(at + 8, next);
      k.m.store(at + 9, next);
      upWrite(k.t, at, LockClass.mmap);
    } else if (downReadKillable(k.t, at, LockClass.mmap) === 0) {
      if (k.m.load(at + 8) !== k.m.load(at + 9)) torn++;
      upRead(k.t, at, LockClass.mmap);
    }
    k.quiescent();
  }
  k.idle();
  return torn;
}

/** A 64-bit value in a seqlock that crosses 2^32 again and again; readers count values that nobody wrote. */
export function seqlock({ buffer, at, rounds, writer }: Job & { writer: boolean }): number {
  const k = joinKernel(buffer);
  let torn = 0;
  for (let i = 0; i < rounds; i++) {
    if (writer) {
      writeSeqlock(k.t, at, LockClass.stats);
      k.m.store64(at + 8, i % 2 === 0 ? 0xffffffff : 0x100000000);
      writeSequnlock(k.t, at, LockClass.stats);
      continue;
    }
    for (;;) {
      const snapshot = readSeqbegin(k.m, at);
      const value = k.m.load64(at + 8);
      if (readSeqretry(k.m, at, snapshot)) continue;
      if (value !== 0 && value !== 0xffffffff && value !== 0x100000000) torn++;
      break;
    }
  }
  k.idle();
  return torn;
}

/** Takes and drops references; @returns the number of successful takes. */
export function lockref({ buffer, at, rounds }: Job): number {
  const k = joinKernel(buffer);
  let taken = 0;
  for (let i = 0; i < rounds; i++) {
    if (!lockrefGetNotDead(k.t, at, LockClass.dentry)) continue;
    taken++;
    lockrefPut(k.t, at);
  }
  k.idle();
  return taken;
}

/**
 * RCU: writers replace the object that `at` points to and retire the old one; readers look at it twice within one
 * section and count objects that were freed or reused meanwhile.
 */
export function rcu({ buffer, at, rounds, writer }: Job & { writer: boolean }): number {
  const k = joinKernel(buffer);
  let violations = 0;
  for (let i = 0; i < rounds; i++) {
    if (writer) {
      const fresh = k.slab.alloc(Cache.token);
      k.m.plainStore(fresh + TOKEN.count, fresh);
      const old = k.m.exchange(at, fresh);
      k.slab.freeRcu(old);
      k.slab.reclaim();
    } else {
      const object = k.m.load(at);
      for (let look = 0; look < 20; look++) if (k.m.load(object + TOKEN.count) !== object) violations++;
    }
    k.quiescent();
  }
  k.slab.flush();
  k.idle();
  return violations;
}

/** Allocates and frees in a random-looking pattern; @returns how often an object was handed out twice at once. */
export function slab({ buffer, at, rounds }: Job): number {
  const k = joinKernel(buffer);
  const mine: number[] = [];
  let twice = 0;
  for (let i = 0; i < rounds; i++) {
    if (mine.length === 0 || (i * 7919) % 5 < 3) {
      const object = k.slab.alloc(Cache.token);
      if (k.m.add(object + TOKEN.count, 1) !== 0) twice++;
      mine.push(object);
    } else {
      const object = mine.splice((i * 31) % mine.length, 1)[0] as number;
      k.m.add(object + TOKEN.count, -1);
      k.slab.free(object);
    }
  }
  for (const object of mine) k.slab.free(object);
  k.slab.flush();
  k.m.add(at, 1);
  k.idle();
  return twice;
}
