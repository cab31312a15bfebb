/** mprotect, mlock and names of memory: one thread makes all kinds of calls, and each time there is what a kernel leaves. */
import { EACCES, EBADF, EINVAL, ENOMEM } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import { pathNew, pathPut } from "../../../kernel/path.ts";
import {
  ANON_NAME_MAX,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_SHARED,
  MAX_MAP_COUNT,
  MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE,
  PROT_NONE,
  VM_DONTEXPAND,
} from "../../../mm/flags.ts";
import { munmap } from "../../../mm/mmap.ts";
import { madviseName, mlock, mprotect } from "../../../mm/mprotect.ts";
import { mremap } from "../../../mm/mremap.ts";
import { touch } from "../../../mm/resident.ts";
import { latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { R, RW, RX, at, must } from "./maps-space.ts";
import { place, vmaAt } from "./mm-kit.ts";
import { TOP, expectSpace, judgeGone, ownSpace } from "./space-text.ts";

const RWX = 7;

function protect(k: Kernel, mm: Ptr, from: number, pages: number, prot: number): number {
  return mprotect(k, mm, at(from), pages * PAGE_SIZE, prot);
}

function clear(k: Kernel, mm: Ptr): void {
  must(munmap(k, mm, at(0), at(TOP) - at(0)));
}

export const ranges = scenario({
  name: "mprotect/ranges",
  about: "what lies in the range changes, up to a hole or what may not change, and is as few mappings as can be",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const file = pathNew(k, { name: "/file" });
      place(k, mm, 0, 4);
      expectSpace(k, mm, protect(k, mm, 1, 2, RW), 0, "0-4 rw-p ac");
      expectSpace(k, mm, protect(k, mm, 1, 2, R), 0, "0-1 rw-p ac; 1-3 r--p; 3-4 rw-p ac");
      expectSpace(k, mm, protect(k, mm, 1, 2, RW), 0, "0-4 rw-p ac");
      place(k, mm, 6, 8);
      expectSpace(k, mm, protect(k, mm, 2, 5, R), -ENOMEM, "0-2 rw-p ac; 2-4 r--p; 6-8 rw-p ac");
      expectSpace(k, mm, protect(k, mm, 4, 3, R), -ENOMEM, "0-2 rw-p ac; 2-4 r--p; 6-8 rw-p ac");
      expectSpace(k, mm, protect(k, mm, 8, 1, R), -ENOMEM, "0-2 rw-p ac; 2-4 r--p; 6-8 rw-p ac");
      expectSpace(k, mm, protect(k, mm, 0, 4, RX), 0, "0-4 r-xp; 6-8 rw-p ac");
      clear(k, mm);
      place(k, mm, 0, 1);
      place(k, mm, 1, 2, R, MAP_SHARED, file);
      place(k, mm, 2, 4, R);
      const kept = "1-2 r--s file+0; 2-4 r--p";
      expectSpace(k, mm, protect(k, mm, 0, 4, PROT_NONE), 0, "0-1 ---p; 1-2 ---s file+0; 2-4 ---p");
      expectSpace(k, mm, protect(k, mm, 0, 4, R), 0, `0-1 r--p; ${kept}`);
      expectSpace(k, mm, protect(k, mm, 0, 4, RW), -EACCES, `0-1 rw-p ac; ${kept}`);
      const full = "0-1 rw-p ac; 1-2 r--s file+0; 2-3 r--p; 3-4 rw-p ac";
      expectSpace(k, mm, mprotect(k, mm, at(3), 1, RW), 0, full);
      const text = `0-1 rw-p ac; ${kept}`;
      expectSpace(k, mm, protect(k, mm, 3, 1, R), 0, text);
      expectSpace(k, mm, mprotect(k, mm, at(2) + 1, PAGE_SIZE, RW), -EINVAL, text);
      expectSpace(k, mm, mprotect(k, mm, at(2) + 1, 0, RW), -EINVAL, text);
      expectSpace(k, mm, protect(k, mm, 2, 0, 0x40), 0, text);
      expectSpace(k, mm, protect(k, mm, 2, 1, 0x40), -EINVAL, text);
      expectSpace(k, mm, protect(k, mm, 2, -1, RW), -ENOMEM, text);
      expectSpace(k, mm, protect(k, mm, 2, -1, 0x40), -ENOMEM, text);
      k.m.add(mm + MM.mapCount, MAX_MAP_COUNT - 3);
      const crowded = protect(k, mm, 2, 1, RW);
      const whole = protect(k, mm, 2, 2, RX);
      k.m.add(mm + MM.mapCount, 3 - MAX_MAP_COUNT);
      expectSpace(k, mm, crowded, -ENOMEM, "0-1 rw-p ac; 1-2 r--s file+0; 2-4 r-xp");
      expectSpace(k, mm, whole, 0, "0-1 rw-p ac; 1-2 r--s file+0; 2-4 r-xp");
      clear(k, mm);
      pathPut(k, file);
    },
  },
  check: judgeGone,
});

export const accounting = scenario({
  name: "mprotect/accounting",
  about: "private memory is accounted once it can be written to, until it can't and never was",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const file = pathNew(k, { name: "/file" });
      place(k, mm, 0, 4, R);
      expectSpace(k, mm, protect(k, mm, 0, 2, RW), 0, "0-2 rw-p ac; 2-4 r--p");
      expectSpace(k, mm, protect(k, mm, 1, 1, RWX), 0, "0-1 rw-p ac; 1-2 rwxp ac; 2-4 r--p");
      expectSpace(k, mm, protect(k, mm, 1, 1, RX), 0, "0-1 rw-p ac; 1-2 r-xp; 2-4 r--p");
      must(touch(k, mm, at(0), 1));
      expectSpace(k, mm, protect(k, mm, 0, 1, RX), 0, "0-1 r-xp ac #1 a1; 1-2 r-xp; 2-4 r--p");
      expectSpace(k, mm, protect(k, mm, 0, 1, RW), 0, "0-1 rw-p ac #1 a1; 1-2 r-xp; 2-4 r--p");
      // Like new, since all its pages were moved, and accounted: asked for what it is, it stays so.
      must(protect(k, mm, 0, 1, R));
      must(mremap(k, mm, at(0), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, at(9)));
      expectSpace(k, mm, protect(k, mm, 0, 1, R), 0, "0-1 r--p ac; 1-2 r-xp; 2-4 r--p; 9-10 r--p ac @0 #1 a1");
      clear(k, mm);
      place(k, mm, 0, 2, R, MAP_NORESERVE);
      expectSpace(k, mm, protect(k, mm, 0, 2, RW), 0, "0-2 rw-p nr");
      expectSpace(k, mm, protect(k, mm, 0, 2, R), 0, "0-2 r--p nr");
      clear(k, mm);
      place(k, mm, 0, 2, R, 0, file);
      expectSpace(k, mm, protect(k, mm, 0, 2, RW), 0, "0-2 rw-p ac file+0");
      expectSpace(k, mm, protect(k, mm, 1, 1, R), 0, "0-1 rw-p ac file+0; 1-2 r--p ac file+1");
      clear(k, mm);
      place(k, mm, 0, 2, RW, MAP_SHARED, file);
      expectSpace(k, mm, protect(k, mm, 0, 1, R), 0, "0-1 r--s file+0; 1-2 rw-s file+1");
      expectSpace(k, mm, protect(k, mm, 0, 1, RW), 0, "0-2 rw-s file+0");
      clear(k, mm);
      pathPut(k, file);
    },
  },
  check: judgeGone,
});

function lock(k: Kernel, mm: Ptr, from: number, pages: number, on = true): number {
  return mlock(k, mm, at(from), pages * PAGE_SIZE, on);
}

export const locked = scenario({
  name: "mprotect/locked",
  about: "what is locked into memory is there, as far as it can be, and what becomes writable is copied",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      place(k, mm, 0, 4);
      expectSpace(k, mm, mlock(k, mm, at(0) + 1, PAGE_SIZE, true), 0, "0-2 rw-p lo ac #1 a2; 2-4 rw-p ac");
      expectSpace(k, mm, lock(k, mm, 3, 0), 0, "0-2 rw-p lo ac #1 a2; 2-4 rw-p ac");
      expectSpace(k, mm, lock(k, mm, 3, -1), -EINVAL, "0-2 rw-p lo ac #1 a2; 2-4 rw-p ac");
      const half = "0-2 rw-p lo ac #1 a2; 2-3 rw-p ac; 3-4 rw-p lo ac";
      expectSpace(k, mm, lock(k, mm, 3, 3), -ENOMEM, half);
      expectSpace(k, mm, lock(k, mm, 2, 1, false), 0, half);
      expectSpace(k, mm, lock(k, mm, 0, 4, false), 0, "0-4 rw-p ac #1 a2");
      clear(k, mm);

      place(k, mm, 0, 2, PROT_NONE);
      expectSpace(k, mm, lock(k, mm, 0, 2), -ENOMEM, "0-2 ---p lo");
      expectSpace(k, mm, protect(k, mm, 0, 2, RW), 0, "0-2 rw-p lo ac #2 a2");
      expectSpace(k, mm, protect(k, mm, 0, 2, R), 0, "0-2 r--p lo ac #2 a2");
      clear(k, mm);
      place(k, mm, 0, 3, R);
      expectSpace(k, mm, lock(k, mm, 0, 2), 0, "0-2 r--p lo; 2-3 r--p");
      expectSpace(k, mm, protect(k, mm, 1, 2, RW), 0, "0-1 r--p lo; 1-2 rw-p lo ac #3 a1; 2-3 rw-p ac");
      expectSpace(k, mm, protect(k, mm, 0, 1, RX), 0, "0-1 r-xp lo; 1-2 rw-p lo ac #3 a1; 2-3 rw-p ac");
      clear(k, mm);

      // Special memory is made resident, and never locked; what is below isn't looked at.
      place(k, mm, 0, 1, PROT_NONE);
      place(k, mm, 1, 3);
      k.m.or(vmaAt(k, mm, 1) + VMA.vmFlags, VM_DONTEXPAND);
      expectSpace(k, mm, lock(k, mm, 1, 1), 0, "0-1 ---p; 1-3 rw-p de ac #4 a1");
      clear(k, mm);

      place(k, mm, 0, 3, R);
      must(lock(k, mm, 0, 3));
      k.m.add(mm + MM.mapCount, MAX_MAP_COUNT - 1);
      const crowded = protect(k, mm, 1, 1, RW);
      k.m.add(mm + MM.mapCount, 1 - MAX_MAP_COUNT);
      expectSpace(k, mm, crowded, -ENOMEM, "0-3 r--p lo");
    },
  },
  check: judgeGone,
});

function rename(k: Kernel, mm: Ptr, from: number, pages: number, name: string | null): number {
  return madviseName(k, mm, at(from), pages * PAGE_SIZE, name === null ? null : latin1Bytes(name));
}

export const names = scenario({
  name: "mprotect/names",
  about:
    "anonymous memory is named, beyond holes too, by what may be in a name, and is one mapping if the name is the same",
  quick: true,
  setup: (k) => ownSpace(k),
  threads: {
    caller: (k, { mm }): void => {
      const file = pathNew(k, { name: "/file" });
      place(k, mm, 0, 4);
      place(k, mm, 6, 8);
      expectSpace(k, mm, rename(k, mm, 0, 2, "pool"), 0, "0-2 rw-p ac 'pool'; 2-4 rw-p ac; 6-8 rw-p ac");
      expectSpace(k, mm, rename(k, mm, 2, 2, "pool"), 0, "0-4 rw-p ac 'pool'; 6-8 rw-p ac");
      expectSpace(k, mm, rename(k, mm, 1, 1, "pool"), 0, "0-4 rw-p ac 'pool'; 6-8 rw-p ac");
      const skipped = "0-3 rw-p ac 'pool'; 3-4 rw-p ac 'x'; 6-7 rw-p ac 'x'; 7-8 rw-p ac";
      expectSpace(k, mm, rename(k, mm, 3, 4, "x"), -ENOMEM, skipped);
      expectSpace(k, mm, rename(k, mm, 7, 4, "x"), -ENOMEM, "0-3 rw-p ac 'pool'; 3-4 rw-p ac 'x'; 6-8 rw-p ac 'x'");
      expectSpace(k, mm, rename(k, mm, 0, 4, null), 0, "0-4 rw-p ac; 6-8 rw-p ac 'x'");
      expectSpace(k, mm, rename(k, mm, 6, 2, null), 0, "0-4 rw-p ac; 6-8 rw-p ac");
      place(k, mm, 8, 9, R, 0, file);
      place(k, mm, 9, 10, RW, MAP_SHARED | MAP_ANONYMOUS);
      const shown = "0-4 rw-p ac; 6-8 rw-p ac 'y'; 8-9 r--p file+0; 9-10 rw-s shm+0";
      expectSpace(k, mm, rename(k, mm, 6, 4, "y"), -EBADF, shown);
      expectSpace(k, mm, rename(k, mm, 9, 1, "z"), 0, `${shown} 'z'`);
      const text = `${shown} 'z'`;
      const wrong = ["a\x1fb", "a\x7fb", "a\\", "`", "$", "[x", "x]", "x".repeat(ANON_NAME_MAX + 1), "\xff"];
      for (let i = 0; i < wrong.length; i++) {
        expectSpace(k, mm, rename(k, mm, 0, 4, wrong[i] as string), -EINVAL, text);
      }
      expectSpace(k, mm, madviseName(k, mm, at(0) + 1, PAGE_SIZE, latin1Bytes("x")), -EINVAL, text);
      expectSpace(k, mm, rename(k, mm, 0, -1, "x"), -EINVAL, text);
      expectSpace(k, mm, rename(k, mm, 0, 0, "x"), 0, text);
      expectSpace(k, mm, rename(k, mm, 20, 0, "x"), 0, text);
      const longest = " ~".repeat(ANON_NAME_MAX / 2) + "!";
      expectSpace(k, mm, rename(k, mm, 0, 4, longest), 0, text.replace("0-4 rw-p ac", `0-4 rw-p ac '${longest}'`));
      clear(k, mm);
      pathPut(k, file);
    },
  },
  check: judgeGone,
});
