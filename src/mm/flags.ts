/** Flags of memory mappings (include/linux/mm.h) and of the system calls that make them (uapi). */

/** VMA.vmFlags */
export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_LOCKONFAULT = 0x80000;
export const VM_ACCOUNT = 0x100000;
export const VM_NORESERVE = 0x200000;
export const VM_HUGETLB = 0x400000;
export const VM_WIPEONFORK = 0x2000000;
export const VM_DONTDUMP = 0x4000000;
const VM_MIXEDMAP = 0x10000000;
export const VM_HUGEPAGE = 0x20000000;

/** The bits that mprotect changes. */
export const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;
/** Mappings that are never merged, locked or swapped. */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;
/** What private mappings may become by mprotect. */
export const VM_MAYALL = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

/** VMA.vmFlags2: the kernel's flags from bit 32 on, and from bit 16 on what only the simulation needs. */
export const VM2_SHADOW_STACK = 0x20;
/** Its file is shared memory. */
export const VM2_SHMEM = 0x10000;
/** Which special mapping it is: an index of {@link SPECIAL_NAMES}. */
export const VM2_SPECIAL_SHIFT = 20;
const VM2_SPECIAL_MASK = 0xf;

/** Names of the special mappings that every process has; 0: none. */
export const SPECIAL_NAMES = ["", "[vvar]", "[vvar_vclock]", "[vdso]"] as const;
export const SPECIAL_VVAR = 1;
export const SPECIAL_VVAR_VCLOCK = 2;
export const SPECIAL_VDSO = 3;

/** Index into {@link SPECIAL_NAMES}; 0 for ordinary mappings. */
export function specialOf(flags2: number): number {
  return (flags2 >>> VM2_SPECIAL_SHIFT) & VM2_SPECIAL_MASK;
}

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;

export const MAP_SHARED = 0x1;
export const MAP_PRIVATE = 0x2;
export const MAP_SHARED_VALIDATE = 0x3;
export const MAP_TYPE = 0xf;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_GROWSDOWN = 0x100;
export const MAP_LOCKED = 0x2000;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
export const MAP_FIXED_NOREPLACE = 0x100000;

export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

/** First address beyond user space (x86-64, four levels). */
export const TASK_SIZE = 0x7ffffffff000;
/** Lowest address that can be mapped (vm.mmap_min_addr). */
export const MMAP_MIN_ADDR = 0x10000;
/** Mappings that a process can have (vm.max_map_count). */
export const MAX_MAP_COUNT = 65530;
/** Bytes kept free below a mapping that grows down. */
export const STACK_GUARD_GAP = 0x100000;
/** Bytes of a huge page: longer anonymous mappings are aligned to it. */
export const PMD_SIZE = 0x200000;
/** Longest name of prctl(PR_SET_VMA_ANON_NAME), without the NUL. */
export const ANON_NAME_MAX = 79;

/** Codes of the VmFlags line by bit (show_smap_vma_flags), for the low and the high word. */
const CODES = "rd wr ex sh mr mw me ms gd um pf - uw lo io sr rr dc de lf ac nr ht sf ar wf dd sd mm hg nh mg".split(
  " ",
);
const CODES2 = "- - - - - ss - - dp ui sl".split(" ");

/** The VmFlags line: each code followed by a blank. */
export function vmFlagsText(flags: number, flags2: number): string {
  let text = "";
  for (let bit = 0; bit < CODES.length; bit++) if (((flags >>> bit) & 1) === 1) text += `${CODES[bit]} `;
  for (let bit = 0; bit < CODES2.length; bit++) if (((flags2 >>> bit) & 1) === 1) text += `${CODES2[bit]} `;
  return text;
}

/** Flags that codes stand for, as `[low, high]`; unknown codes are left out. */
export function parseVmFlags(codes: readonly string[]): readonly [number, number] {
  let flags = 0;
  let flags2 = 0;
  for (const code of codes) {
    const bit = CODES.indexOf(code);
    const bit2 = CODES2.indexOf(code);
    if (bit >= 0 && code !== "-") flags |= 1 << bit;
    else if (bit2 >= 0 && code !== "-") flags2 |= 1 << bit2;
  }
  return [flags, flags2];
}

/** Flags of a mapping that looks like `perms` ("r-xp") in maps, as mmap would have made it. */
export function flagsOfPerms(perms: string, file: boolean): number {
  let flags = VM_MAYREAD | VM_MAYEXEC;
  if (perms[0] === "r") flags |= VM_READ;
  if (perms[1] === "w") flags |= VM_WRITE;
  if (perms[2] === "x") flags |= VM_EXEC;
  if (perms[3] !== "s") flags |= VM_MAYWRITE | ((flags & VM_WRITE) === 0 ? 0 : VM_ACCOUNT);
  else if (file && (flags & VM_WRITE) === 0) flags |= VM_MAYSHARE;
  else flags |= VM_MAYWRITE | VM_SHARED | VM_MAYSHARE;
  return flags;
}

/** As in maps: "r-xp". The last letter follows VM_MAYSHARE. */
export function permsText(flags: number): string {
  return (
    ((flags & VM_READ) !== 0 ? "r" : "-") +
    ((flags & VM_WRITE) !== 0 ? "w" : "-") +
    ((flags & VM_EXEC) !== 0 ? "x" : "-") +
    ((flags & VM_MAYSHARE) !== 0 ? "s" : "p")
  );
}
