/** The module that a mount serves: each thread that handles requests loads it and makes a file system of its own. */
import type { CallerFacts, FileSystem } from "../src/proc/vfs.ts";
import { MountError } from "./errors.ts";

/** What createFileSystem gets beside its data. */
export interface FileSystemContext {
  /** Unique among the threads of this mount. */
  thread: number;
  /** Whether it serves requests, or answers those that had to wait. */
  role: "serve" | "slow";
  /** Who the callers are on the real machine. */
  callers: CallerFacts;
}

/** The export that a file-system module must have. Calls of what it gives must never sleep, but return WOULD_WAIT. */
export type CreateFileSystem = (data: unknown, context: FileSystemContext) => FileSystem | Promise<FileSystem>;

/**
 * Loads the module at `url` and makes this thread's file system.
 * @throws MountError ESYNTH_OPTION if it doesn't export createFileSystem
 */
export async function loadFileSystem(url: string, data: unknown, context: FileSystemContext): Promise<FileSystem> {
  const module = (await import(url)) as { createFileSystem?: CreateFileSystem };
  if (typeof module.createFileSystem !== "function") {
    throw new MountError("ESYNTH_OPTION", `${url} does not export createFileSystem().`);
  }
  return module.createFileSystem(data, context);
}
