/**
 * Debug assertions in the manner of lockdep: lock order, and no sleeping inside an RCU read-side section.
 *
 * The order is this tree read from top to bottom: a lock may be taken only if the one taken last stands further up, and
 * two of one class only where it says so. Indented: really taken while the one above it is held. Every lock passes its
 * class when it is taken, in release builds too, where the check is a single branch.
 *
 *     openFile                 an open file's position and buffer (seq_file.lock); maps then take mmap or vma
 *     actor                    acting as a process; a parent before its child
 *       credGuard              one exec of a process at a time (cred_guard_mutex)
 *         execUpdate           signal->exec_update_lock; two of them only in address order
 *           mmap               mm->mmap_lock
 *             vma              a read-locked VMA (vm_refcnt)
 *             pageTable        the pages of an address space, by whoever has mmap_lock for read (page_table_lock)
 *         tasklist             tasklist_lock: parents, children, threads, pid hash
 *         sighand              sighand->siglock
 *           timer              k_itimer.it_lock
 *         stats                signal->stats_lock, also under tasklist
 *         files                files->file_lock
 *         taskAlloc            task->alloc_lock
 *         registry             the host's tables: pids (also under tasklist), added files
 *     dentry                   d_lockref
 *     slab                     slab depot, page lists: under any of them
 */
export const LockClass = {
  openFile: 0,
  actor: 1,
  credGuard: 2,
  execUpdate: 3,
  mmap: 4,
  vma: 5,
  pageTable: 6,
  tasklist: 7,
  sighand: 8,
  timer: 9,
  stats: 10,
  files: 11,
  taskAlloc: 12,
  registry: 13,
  dentry: 14,
  slab: 15,
} as const;

export type LockClassId = (typeof LockClass)[keyof typeof LockClass];

/** Names of the classes, by id. */
export const CLASS_NAMES = Object.keys(LockClass);

/** Thrown when an assertion about locking fails: always a bug in synthproc. */
export class LockdepError extends Error {
  readonly code = "ESYNTH_LOCKDEP";
}

/** What one thread holds. Thread-local: never shared. */
export class Lockdep {
  readonly enabled: boolean;
  /** How many locks of each class this thread has taken since it began, by {@link LockClass}; only counted if enabled. */
  readonly taken: number[] = CLASS_NAMES.map(() => 0);
  private readonly held: number[] = [];
  private rcuDepth = 0;

  constructor(enabled: boolean) {
    this.enabled = enabled;
  }

  /** A lock of this class is about to be taken. `nested` allows a second lock of the class just taken. */
  acquire(lockClass: LockClassId, nested = false): void {
    if (!this.enabled) return;
    const top = this.held[this.held.length - 1];
    if (top !== undefined && (nested ? lockClass < top : lockClass <= top)) {
      throw new LockdepError(`lock order: ${CLASS_NAMES[lockClass]} taken while ${CLASS_NAMES[top]} is held`);
    }
    this.held.push(lockClass);
    this.count(lockClass);
  }

  /** Counts a lock that is taken and given back within one atomic operation, so that it is never seen to be held. */
  count(lockClass: LockClassId): void {
    if (this.enabled) this.taken[lockClass] = (this.taken[lockClass] as number) + 1;
  }

  /** The lock has been released, or could not be taken after all. */
  release(lockClass: LockClassId): void {
    if (!this.enabled) return;
    const at = this.held.lastIndexOf(lockClass);
    if (at < 0) throw new LockdepError(`release of ${CLASS_NAMES[lockClass]}, which is not held`);
    this.held.splice(at, 1);
  }

  /** Locks of these classes, taken in this order, stay held but are no longer this thread's affair. */
  handOff(classes: readonly LockClassId[]): void {
    for (let i = classes.length - 1; i >= 0; i--) this.release(classes[i] as LockClassId);
  }

  /** Locks of these classes, which another thread handed off, are this thread's from now on. */
  takeOver(classes: readonly LockClassId[]): void {
    for (let i = 0; i < classes.length; i++) this.acquire(classes[i] as LockClassId);
  }

  rcuEnter(): void {
    this.rcuDepth++;
  }

  rcuExit(): void {
    if (this.enabled && this.rcuDepth === 0) throw new LockdepError("rcuReadUnlock without rcuReadLock");
    this.rcuDepth--;
  }

  /** The thread is about to sleep (might_sleep). */
  mightSleep(): void {
    if (this.enabled && this.rcuDepth > 0) throw new LockdepError("sleeping inside an RCU read-side section");
  }

  /** Between requests a thread must hold nothing. */
  assertIdle(): void {
    if (!this.enabled) return;
    if (this.rcuDepth !== 0) throw new LockdepError("thread goes idle inside an RCU read-side section");
    if (this.held.length !== 0) {
      throw new LockdepError(`thread goes idle holding ${this.held.map((c) => CLASS_NAMES[c]).join(", ")}`);
    }
  }
}
