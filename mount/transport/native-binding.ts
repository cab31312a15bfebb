/**
 * Loading the npm package fuse-native, and the little of it that its types would describe.
 *
 * Its binary wants the system's libfuse.so.2, which many systems no longer have; the package brings one along, but only
 * its own setup script would install it. Loading that copy first, so that it stays and its symbols are global, serves
 * the dynamic linker just as well.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { errorCode, errorText } from "../errors.ts";

/** Answers an operation: a non-negative result or a negated errno, then what the operation delivers. */
export type Signal = (result: number, ...values: unknown[]) => void;
/** Callback that fuse-native hands to an operation. */
export type Done = (result: number, value?: unknown) => void;

/** Operations by name; the last argument is the callback. Paths are absolute within the mount. */
export type Operations = Record<string, (...args: never[]) => void>;

export interface NativeMount {
  readonly _thread: Buffer;
  mount(done: (error?: Error | null) => void): void;
  _fuseOptions(): string;
  _op_fgetattr(signal: Signal, path: string, fd: number): void;
}

export type NativeMountClass = new (dir: string, operations: Operations, options: { timeout: false }) => NativeMount;

export interface NativeBinding {
  Fuse: NativeMountClass;
  /** Lets go of a mount that has been unmounted. */
  forget(dir: string, mount: NativeMount): void;
}

/** glibc: the library stays loaded even though Node rejects it as an add-on. */
const RTLD_NODELETE = 0x1000;

/** @throws Error in one clause if the package cannot work here */
export function loadNative(): NativeBinding {
  if (!isMainThread) throw new Error("it works on the main thread only");
  const require = createRequire(import.meta.url);
  const root = packageRoot(require);
  preloadLibrary(root);
  const inner = createRequire(join(root, "index.js"));
  type Raw = { fuse_native_unmount(dir: string, thread: Buffer): void };
  const binding = (inner("node-gyp-build") as (dir: string) => Raw)(root);
  return {
    Fuse: require("fuse-native") as NativeMountClass,
    forget: (dir, mount) => binding.fuse_native_unmount(dir, mount._thread),
  };
}

function packageRoot(require: NodeJS.Require): string {
  try {
    return dirname(require.resolve("fuse-native/package.json"));
  } catch (error) {
    if (errorCode(error) === "MODULE_NOT_FOUND")
      throw new Error("the package fuse-native is not installed", { cause: error });
    throw error;
  }
}

function preloadLibrary(root: string): void {
  const library = join(root, "prebuilds", `${process.platform}-${process.arch}`, "libfuse.so");
  // Without a copy of its own, the package was built against the system's library, which the linker will find.
  if (!existsSync(library)) return;
  const flags = constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_GLOBAL | RTLD_NODELETE;
  try {
    process.dlopen({ exports: {} } as NodeJS.Module, library, flags);
  } catch (error) {
    // Node expects an add-on; a plain library is loaded all the same, and stays.
    if (!/did not self-register/.test(errorText(error))) throw error;
  }
}

/** Why fuse-native cannot work here, in one clause, or null if it can. */
export function nativeProblem(): string | null {
  try {
    loadNative();
    return null;
  } catch (error) {
    return errorText(error).split("\n")[0] ?? "it cannot be loaded";
  }
}
