/**
 * Values of a process that was captured from a real /proc, to be shown as they are.
 *
 * What a scenario can say anyway (ids, capabilities, limits, tty, descriptors, ...) stands in the `Group` itself;
 * here is what only a capture knows. `null` or a missing key: could not be read, so the builder computes it.
 */
import type { ByteString, StateLetter } from "./scenario-types.ts";

/** One VMA. The gate area ([vsyscall]) is the kernel's own and never part of a capture. */
export interface ExactVma {
  start: number;
  end: number;
  /** As in maps: `r-xp`. */
  perms: string;
  offset: number;
  major: number;
  minor: number;
  inode: number;
  /** The rest of the line without its padding: a path, `[heap]`, `[anon:name]`, `/x (deleted)`, or nothing. */
  path: ByteString;
  /** Values of smaps by the kernel's names (`Rss`, `Pss_Dirty`, `THPeligible`, ...), in kB where the kernel says kB. */
  smaps: Record<string, number>;
  /** Two-letter codes, in order. */
  vmFlags: string[];
}

/** One thread; the main thread is the first. */
export interface ExactThread {
  tid: number;
  comm: ByteString;
  state: StateLetter;
  /** Fields of stat by their names in proc_pid_stat(5), for this thread (`utime`, `nice`, `flags`, `wchan`, ...). */
  stat: Record<string, number>;
  /** Lines of status by name, value as it stands after the tab (`SigBlk`, `voluntary_ctxt_switches`, ...). */
  status: Record<string, ByteString>;
  io: Record<string, number> | null;
  /** The three numbers of schedstat; nanoseconds can exceed 2^53, hence text. */
  schedstat: string;
}

export interface Exact {
  /** The whole file, with its NULs. */
  cmdline: ByteString;
  environ: ByteString | null;
  auxv: ByteString | null;
  /** Null for kernel threads and zombies. */
  maps: ExactVma[] | null;
  /** Fields of /proc/PID/stat by name: of the whole group where that differs from the thread's. */
  stat: Record<string, number>;
  /** Lines of /proc/PID/status by name, value as it stands after the tab. */
  status: Record<string, ByteString>;
  /** rchar, wchar, syscr, syscw, read_bytes, write_bytes, cancelled_write_bytes. */
  io: Record<string, number> | null;
  threads: ExactThread[];
  /** Link text by kind as in ns/: `net:[4026531833]`. */
  ns: Record<string, string>;
  pgrp: number;
  session: number;
  /** Text of any further file of the process, by name below its directory (`mountinfo`, `wchan`, `stack`, ...). */
  files: Record<string, ByteString>;
}
