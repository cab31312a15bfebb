/** Who asks: the credentials that access checks look at. The transport supplies them; most checks need only the ids. */

/** Capability numbers (linux/capability.h) that /proc asks for. */
export const CAP_CHOWN = 0;
export const CAP_DAC_OVERRIDE = 1;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_FOWNER = 3;
export const CAP_SETPCAP = 8;
export const CAP_SYS_RAWIO = 17;
export const CAP_SYS_PTRACE = 19;
export const CAP_SYS_ADMIN = 21;
export const CAP_SYS_NICE = 23;
export const CAP_SYS_RESOURCE = 24;
export const CAP_CHECKPOINT_RESTORE = 40;

export interface Subject {
  /** File-system ids, which are the effective ones as a rule: FUSE tells no more. */
  readonly uid: number;
  readonly gid: number;
  /** Real ids, user and group; absent: the same. */
  realIds?(): readonly [uid: number, gid: number];
  /** The real thread-group id of the caller, or 0. */
  tgid(): number;
  /** True if the caller has a capability (CAP_*) in effect. */
  capable(capability: number): boolean;
  /** True if the caller is in a group, supplementary ones included. */
  inGroup(gid: number): boolean;
  /** True if every capability of the set (two halves) is in the caller's effective, or else permitted set. */
  covers(low: number, high: number, effective: boolean): boolean;
}
