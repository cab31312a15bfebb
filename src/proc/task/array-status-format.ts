/** Pure formatter of /proc/<pid>/status (proc_pid_status). */
import { latin1Bytes } from "../../shm/bytes.ts";
import { commEscaped } from "./array-format.ts";
import { stateName } from "./array-state.ts";
import type { Mask64, StatusMemory, StatusSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

/** Bits of nodemask_t (MAX_NUMNODES). */
const MAX_NUMNODES = 1024;
/** Node 0 of them all, in groups of 32 bits. */
const MEMS_ALLOWED = latin1Bytes("00000000,".repeat(MAX_NUMNODES / 32 - 1) + "00000001");
/** What the simulated CPU's mitigations look like. */
const SPECULATION = "\nSpeculation_Store_Bypass:\tvulnerable\nSpeculationIndirectBranch:\talways enabled\n";

/** /proc/<pid>/status. */
export function formatStatus(s: StatusSnapshot, out: Text): void {
  out.str("Name:\t");
  commEscaped(out, s.comm);
  out.byte(10);
  statusTask(s, out);
  statusIds(s, out);
  statusNamespaces(s, out);
  if (s.hasMm) {
    statusMemory(s.memory, out);
    out.str("CoreDumping:\t").byte(s.coreDumping ? 49 : 48);
    out.str("\nTHP_enabled:\t").byte(s.thpEnabled ? 49 : 48);
    out.str("\nuntag_mask:\t0xffffffffffffffff\n");
  }
  statusSignals(s, out);
  statusCapabilities(s, out);
  statusPlacement(s, out);
  out.str("voluntary_ctxt_switches:\t").dec(s.voluntary);
  out.str("\nnonvoluntary_ctxt_switches:\t").dec(s.nonvoluntary).byte(10);
}

function statusTask(s: StatusSnapshot, out: Text): void {
  if (s.umask >= 0) out.str("Umask:\t").oct(s.umask, 4).byte(10);
  out.str("State:\t").str(stateName(s.state));
  out.str("\nTgid:\t").dec(s.tgid);
  out.str("\nNgid:\t").dec(s.ngid);
  out.str("\nPid:\t").dec(s.pid);
  out.str("\nPPid:\t").dec(s.ppid);
  out.str("\nTracerPid:\t").dec(s.tracer);
}

function statusIds(s: StatusSnapshot, out: Text): void {
  out.str("\nUid:\t").dec(s.uid).byte(9).dec(s.euid).byte(9).dec(s.suid).byte(9).dec(s.fsuid);
  out.str("\nGid:\t").dec(s.gid).byte(9).dec(s.egid).byte(9).dec(s.sgid).byte(9).dec(s.fsgid);
  out.str("\nFDSize:\t").dec(s.fdSize);
  out.str("\nGroups:\t");
  for (let i = 0; i < s.groupCount; i++) {
    if (i > 0) out.byte(32);
    out.dec(littleEndian(s.groups, i * 4));
  }
  out.byte(32);
}

function littleEndian(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return low + ((bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)) * 65536;
}

function statusNamespaces(s: StatusSnapshot, out: Text): void {
  out.str("\nNStgid:\t").dec(s.tgid);
  out.str("\nNSpid:\t").dec(s.pid);
  out.str("\nNSpgid:\t").dec(s.pgrp);
  out.str("\nNSsid:\t").dec(s.session);
  out
    .str("\nKthread:\t")
    .byte(s.kthread ? 49 : 48)
    .byte(10);
}

function kilobytes(out: Text, label: string, value: number): void {
  out.str(label).dec(value, 8).str(" kB\n");
}

function statusMemory(v: StatusMemory, out: Text): void {
  kilobytes(out, "VmPeak:\t", v.peak);
  kilobytes(out, "VmSize:\t", v.size);
  kilobytes(out, "VmLck:\t", v.locked);
  kilobytes(out, "VmPin:\t", v.pinned);
  kilobytes(out, "VmHWM:\t", v.hwm);
  kilobytes(out, "VmRSS:\t", v.rss);
  kilobytes(out, "RssAnon:\t", v.anon);
  kilobytes(out, "RssFile:\t", v.file);
  kilobytes(out, "RssShmem:\t", v.shmem);
  kilobytes(out, "VmData:\t", v.data);
  kilobytes(out, "VmStk:\t", v.stack);
  kilobytes(out, "VmExe:\t", v.exe);
  kilobytes(out, "VmLib:\t", v.lib);
  kilobytes(out, "VmPTE:\t", v.pageTables);
  kilobytes(out, "VmSwap:\t", v.swap);
  kilobytes(out, "HugetlbPages:\t", v.hugetlb);
}

function mask(out: Text, label: string, value: Mask64): void {
  out.str(label).hex64(value.low, value.high).byte(10);
}

function statusSignals(s: StatusSnapshot, out: Text): void {
  out.str("Threads:\t").dec(s.threads);
  out.str("\nSigQ:\t").dec(s.sigQueued).byte(47);
  if (s.sigLimit >= Number.MAX_SAFE_INTEGER) out.str("18446744073709551615");
  else out.dec(s.sigLimit);
  mask(out, "\nSigPnd:\t", s.pending);
  mask(out, "ShdPnd:\t", s.sharedPending);
  mask(out, "SigBlk:\t", s.blocked);
  mask(out, "SigIgn:\t", s.ignored);
  mask(out, "SigCgt:\t", s.caught);
}

function statusCapabilities(s: StatusSnapshot, out: Text): void {
  mask(out, "CapInh:\t", s.capInheritable);
  mask(out, "CapPrm:\t", s.capPermitted);
  mask(out, "CapEff:\t", s.capEffective);
  mask(out, "CapBnd:\t", s.capBounding);
  mask(out, "CapAmb:\t", s.capAmbient);
  out.str("NoNewPrivs:\t").dec(s.noNewPrivs);
  out.str("\nSeccomp:\t").dec(s.seccomp);
  out.str("\nSeccomp_filters:\t").dec(s.seccompFilters);
  out.str(SPECULATION);
}

function statusPlacement(s: StatusSnapshot, out: Text): void {
  out.str("Cpus_allowed:\t");
  bitmapHex(out, s.cpusAllowed, s.cpus);
  out.str("\nCpus_allowed_list:\t");
  bitmapList(out, s.cpusAllowed, s.cpus);
  out.str("\nMems_allowed:\t");
  out.raw(MEMS_ALLOWED).str("\nMems_allowed_list:\t0\n");
}

/** Bits above 63 repeat the answer to "are all of the first 64 set?". */
function chunkOf(value: Mask64, chunk: number): number {
  if (chunk === 0) return value.low >>> 0;
  if (chunk === 1) return value.high >>> 0;
  return (value.low & value.high) === -1 ? 0xffffffff : 0;
}

/** A bitmap of `bits` bits in hexadecimal, in groups of 32 bits (%*pb). */
export function bitmapHex(out: Text, value: Mask64, bits: number): void {
  for (let chunk = Math.ceil(bits / 32) - 1; chunk >= 0; chunk--) {
    const width = Math.min(bits - chunk * 32, 32);
    const kept = width === 32 ? chunkOf(value, chunk) : (chunkOf(value, chunk) & ((1 << width) - 1)) >>> 0;
    out.hex(kept, Math.ceil(width / 4));
    if (chunk > 0) out.byte(44);
  }
}

/** A bitmap of `bits` bits as a list of ranges such as 0-3,8 (%*pbl). */
export function bitmapList(out: Text, value: Mask64, bits: number): void {
  let first = true;
  let bit = 0;
  while (bit < bits) {
    if (!isSet(value, bit)) {
      bit++;
      continue;
    }
    let last = bit;
    while (last + 1 < bits && isSet(value, last + 1)) last++;
    if (!first) out.byte(44);
    first = false;
    out.dec(bit);
    if (last > bit) out.byte(45).dec(last);
    bit = last + 1;
  }
}

function isSet(value: Mask64, bit: number): boolean {
  return ((chunkOf(value, bit >>> 5) >>> (bit & 31)) & 1) !== 0;
}
