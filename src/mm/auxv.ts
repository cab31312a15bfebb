/** The auxiliary vector, as the kernel lays it out for an x86-64 program (create_elf_tables, fs/binfmt_elf.c). */
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, USER_HZ } from "../kernel/layout.ts";
import { bytesCopy, bytesLength } from "../shm/bytes.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";

/** Bytes of a computed vector: 22 entries and the terminator. */
export const AUXV_BYTES = 23 * 16;
/** Bytes that AT_RANDOM points at, right below the platform string. */
export const AT_RANDOM_BYTES = 16;

const AT_PHDR = 3;
const AT_PHENT = 4;
const AT_PHNUM = 5;
const AT_PAGESZ = 6;
const AT_BASE = 7;
const AT_FLAGS = 8;
const AT_ENTRY = 9;
const AT_UID = 11;
const AT_EUID = 12;
const AT_GID = 13;
const AT_EGID = 14;
const AT_PLATFORM = 15;
const AT_HWCAP = 16;
const AT_CLKTCK = 17;
const AT_SECURE = 23;
const AT_RANDOM = 25;
const AT_HWCAP2 = 26;
const AT_RSEQ_FEATURE_SIZE = 27;
const AT_RSEQ_ALIGN = 28;
const AT_EXECFN = 31;
const AT_SYSINFO_EHDR = 33;
const AT_MINSIGSTKSZ = 51;

const MINSIGSTKSZ = 0x2eb0;
const HWCAP = 0x1f8bfbff;
/** Ring 3 MWAIT is off, FSGSBASE is on. */
const HWCAP2 = 0x2;
const ELF_PHENT = 56;
const ELF_PHNUM = 13;
const RSEQ_FEATURE_SIZE = 28;
const RSEQ_ALIGN = 32;

/** Bytes that {@link auxvRead} needs at most: a captured vector may be longer than a computed one. */
export function auxvLength(k: Kernel, mm: Ptr): number {
  const captured = k.m.load(mm + MM.auxv);
  return captured === NULL ? AUXV_BYTES : bytesLength(k.m, captured);
}

/**
 * Writes the whole vector into `out`.
 * @param out at least {@link auxvLength} bytes
 * @returns its length in bytes
 * @pre a reference to the mm's struct (its mappings may be gone)
 */
export function auxvRead(k: Kernel, mm: Ptr, out: Uint8Array): number {
  const { m } = k;
  const captured = m.load(mm + MM.auxv);
  if (captured !== NULL) {
    const length = bytesLength(m, captured);
    bytesCopy(m, captured, 0, out, 0, length);
    return length;
  }
  const ids = [MM.execUid, MM.execEuid, MM.execGid, MM.execEgid];
  for (let i = 0; i < ids.length; i++) ids[i] = m.loadU32(mm + (ids[i] as number));
  const [uid, euid, gid, egid] = ids as [number, number, number, number];
  const platform = m.load64(mm + MM.platform);
  const words = [
    [AT_SYSINFO_EHDR, m.load64(mm + MM.vdso)],
    [AT_MINSIGSTKSZ, MINSIGSTKSZ],
    [AT_HWCAP, HWCAP],
    [AT_PAGESZ, PAGE_SIZE],
    [AT_CLKTCK, USER_HZ],
    [AT_PHDR, m.load64(mm + MM.phdr)],
    [AT_PHENT, ELF_PHENT],
    [AT_PHNUM, ELF_PHNUM],
    [AT_BASE, m.load64(mm + MM.interpBase)],
    [AT_FLAGS, 0],
    [AT_ENTRY, m.load64(mm + MM.entry)],
    [AT_UID, uid],
    [AT_EUID, euid],
    [AT_GID, gid],
    [AT_EGID, egid],
    [AT_SECURE, uid === euid && gid === egid ? 0 : 1],
    [AT_RANDOM, platform - AT_RANDOM_BYTES],
    [AT_HWCAP2, HWCAP2],
    [AT_EXECFN, m.load64(mm + MM.envEnd)],
    [AT_PLATFORM, platform],
    [AT_RSEQ_FEATURE_SIZE, RSEQ_FEATURE_SIZE],
    [AT_RSEQ_ALIGN, RSEQ_ALIGN],
    [0, 0],
  ] as const;
  for (let i = 0; i < words.length; i++) {
    const [type, value] = words[i] as readonly [number, number];
    write64(out, i * 16, type);
    write64(out, i * 16 + 8, value);
  }
  return AUXV_BYTES;
}

/** Little-endian; `value` below 2^53. */
function write64(out: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = 0; i < 8; i++) {
    out[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
