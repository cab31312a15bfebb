/** fs_struct: working directory, root and umask. */
import type { Ptr } from "../sync/atomics.ts";
import { refcountDecAndTest } from "../sync/refcount.ts";
import { Cache } from "./caches.ts";
import type { Kernel } from "./kernel.ts";
import { FS } from "./layout.ts";
import { pathGetAt, pathPut } from "./path.ts";

/** A new fs_struct with one reference; takes over the references to the paths. */
export function fsNew(k: Kernel, pwd: Ptr, root: Ptr, umask: number): Ptr {
  const fs = k.slab.alloc(Cache.fs);
  k.m.plainStore(fs + FS.users, 1);
  k.m.plainStore(fs + FS.pwd, pwd);
  k.m.plainStore(fs + FS.root, root);
  k.m.plainStore(fs + FS.umask, umask);
  return fs;
}

/** A copy for fork (copy_fs_struct). */
export function dupFs(k: Kernel, old: Ptr): Ptr {
  const { m } = k;
  return fsNew(k, pathGetAt(k, old + FS.pwd), pathGetAt(k, old + FS.root), m.load(old + FS.umask));
}

export function putFs(k: Kernel, fs: Ptr): void {
  if (!refcountDecAndTest(k.m, fs + FS.users)) return;
  pathPut(k, k.m.load(fs + FS.pwd));
  pathPut(k, k.m.load(fs + FS.root));
  k.slab.freeRcu(fs);
}
