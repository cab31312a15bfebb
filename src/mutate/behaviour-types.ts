/**
 * What the processes of a group do, as a normalised scenario says it.
 *
 * Units: milliseconds, bytes, events a second. A fraction lies between 0 and 1.
 */
import type { CLOCK_IDS } from "../time/posix-timers.ts";
import type { ByteString, Spread } from "./scenario-types.ts";

/** A program that an exec starts, and how often relative to the others of its list. */
export interface Program {
  /** Absolute path of the executable. */
  exe: ByteString;
  /** Arguments with argv[0]; `{i}` is the index of the process in its group, `{n}` counts the events. */
  args: ByteString[];
  weight: number;
}

/** When and how often a behaviour happens. */
export interface Rate {
  /** Events a second, 0 for never. */
  rate: number;
  /** Whether `rate` holds for each process of the group or for the group as a whole. */
  per: "process" | "group";
  /**
   * Irregularity: intervals are uniform in `mean * (1 - jitter) .. mean * (1 + jitter)`; 0 is a metronome, 1 the
   * default.
   */
  jitter: number;
}

/** Uses CPU time continuously. */
export interface CpuBehaviour {
  kind: "cpu";
  /** Share of one CPU, per process; may exceed 1 for several threads. */
  share: number;
  /** Fraction of that time spent in user mode. */
  user: number;
  /** Fraction by which the share wanders. */
  jitter: number;
}

/** One event is one read and one write system call. */
export interface IoBehaviour extends Rate {
  kind: "io";
  /** Bytes per event. */
  read: Spread;
  write: Spread;
  /** Fraction of the bytes read that come from the page cache and never reach a disk. */
  cached: number;
}

/** Forks a child which lives for a while and is reaped. */
export interface ForkBehaviour extends Rate {
  kind: "fork";
  lifetimeMs: Spread;
  /** What the child executes; empty: it stays an image of its parent. One is chosen by weight. */
  exec: Program[];
  /** How that exec goes. */
  execManner: ExecManner;
  /** Live children of one process that this behaviour never exceeds. */
  max: number;
  /** vfork(2): the parent waits until the child executes or ends. */
  vfork: boolean;
  /** How long the child stays a zombie before its parent reaps it. */
  zombieMs: Spread;
  /** Fraction of the children whose parent ends first, so that init or a subreaper inherits them. */
  orphan: number;
  /** Exit statuses by weight; a value from 129 on means death by signal `value - 128`. */
  exitStatus: { status: number; weight: number }[];
  /** How many generations: 2 means that children fork in turn with the same behaviour. */
  depth: number;
  /** What each child does meanwhile. */
  cpu: number;
  io: number;
}

/** How execs go: how long they take, and how many of them fail. */
export interface ExecManner {
  /** How long the exec holds the exec lock. */
  durationMs: Spread;
  /** Fraction that fails before anything has happened. */
  failBefore: number;
  /** Fraction that fails halfway, and is killed. Together with `failBefore` at most 1. */
  failHalfway: number;
}

/** Executes another program in place. */
export interface ExecBehaviour extends Rate, ExecManner {
  kind: "exec";
  /** Empty: the process executes its own program again. */
  programs: Program[];
  /** Fraction of the execs that gain privileges (set-user-ID root) or lose them again. */
  setuid: number;
  /** Fraction that is called from a thread other than the leader. */
  fromThread: number;
  /** Fraction whose new image is not dumpable. */
  nonDumpable: number;
}

/** Starts a thread which lives for a while. */
export interface CloneBehaviour extends Rate {
  kind: "clone";
  lifetimeMs: Spread;
  max: number;
  /** Thread name; empty: inherited. `{n}` counts the events. */
  name: ByteString;
}

/** Maps a region; the oldest one goes when more than `keep` are there. */
export interface MmapBehaviour extends Rate {
  kind: "mmap";
  size: Spread;
  keep: number;
  /** Maps this file; empty: anonymous memory. */
  path: ByteString;
  /** Fraction of each region that is touched (resident). */
  touched: number;
}

/** Splits a mapping with mprotect, and merges it again. */
export interface SplitBehaviour extends Rate {
  kind: "split";
  /** Splits that stay before the oldest is undone. */
  keep: number;
}

/** Moves or resizes a mapping with mremap. */
export interface MremapBehaviour extends Rate {
  kind: "mremap";
  size: Spread;
}

/** Grows and shrinks the heap. */
export interface BrkBehaviour extends Rate {
  kind: "brk";
  size: Spread;
  /** Bytes of heap above which it shrinks again. */
  max: number;
}

/** Creates a POSIX timer; the oldest one goes when more than `keep` are there. */
export interface TimerBehaviour extends Rate {
  kind: "timer";
  keep: number;
  signal: number;
  notify: "signal" | "none" | "thread";
  clock: ClockName;
}

/** Changes user ids, in turn through `uids`. */
export interface SetuidBehaviour extends Rate {
  kind: "setuid";
  uids: number[];
}

/** Names the process or one of its threads (PR_SET_NAME), in turn through `names`. */
export interface RenameBehaviour extends Rate {
  kind: "rename";
  names: ByteString[];
}

/** Opens a file, socket or pipe and closes the oldest one when more than `keep` are there. */
export interface OpenBehaviour extends Rate {
  kind: "open";
  what: "file" | "socket" | "pipe" | "eventfd";
  path: ByteString;
  keep: number;
}

/** Waits uninterruptibly (state D). */
export interface BlockBehaviour extends Rate {
  kind: "block";
  durationMs: Spread;
}

/** Is stopped by SIGSTOP and continued later. */
export interface StopBehaviour extends Rate {
  kind: "stop";
  durationMs: Spread;
}

/** Ends, and is started again by its parent. */
export interface ExitBehaviour extends Rate {
  kind: "exit";
  /** Time until the replacement starts. */
  respawnMs: Spread;
  exitStatus: { status: number; weight: number }[];
}

/** Applies a policy to all threads at once: the second writer of the exec lock. */
export interface TsyncBehaviour extends Rate {
  kind: "tsync";
  /** How long it holds the exec lock. */
  durationMs: Spread;
}

/** Toggles whether the process may be dumped (PR_SET_DUMPABLE). */
export interface DumpableBehaviour extends Rate {
  kind: "dumpable";
}

/** Changes one resource limit to and fro (prlimit). */
export interface LimitBehaviour extends Rate {
  kind: "limit";
}

export type Behaviour =
  | CpuBehaviour
  | IoBehaviour
  | ForkBehaviour
  | ExecBehaviour
  | CloneBehaviour
  | MmapBehaviour
  | SplitBehaviour
  | MremapBehaviour
  | BrkBehaviour
  | TimerBehaviour
  | SetuidBehaviour
  | RenameBehaviour
  | OpenBehaviour
  | BlockBehaviour
  | StopBehaviour
  | ExitBehaviour
  | TsyncBehaviour
  | DumpableBehaviour
  | LimitBehaviour;

export type BehaviourKind = Behaviour["kind"];

export type ClockName = keyof typeof CLOCK_IDS;
