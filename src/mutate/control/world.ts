/** What control commands know beside the kernel: the scenario's machine, and files by name. One per thread. */
import type { Program } from "../../kernel/config.ts";
import { ENOENT } from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PATH } from "../../kernel/layout.ts";
import { addFile, configPath, pathGet } from "../../kernel/path.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { findProgram } from "../build/config.ts";
import { dataFile, executable, setuidOf } from "../build/images.ts";
import { isDevice } from "../build/shared-paths.ts";
import type { Host } from "../scenario-types.ts";

const KIB = 1024;
const PROGRAM_SIZE = 140 * KIB;
const FILE_SIZE = 64 * KIB;
const S_IFCHR_0666 = 0o20666;
/** A program of the configuration whose libraries and sizes others get too. */
const PATTERN = "/bin/sh";

export interface World {
  readonly host: Host;
}

/**
 * The program of a path: one of the configuration, or one that looks like any other. What the configuration knows as a
 * library or as data stays that: exec will have something to say to it.
 * @returns it, or -ENOENT if it has been unlinked, -ENOSPC if too many have been added
 */
export function programAt(k: Kernel, world: World, path: string): Program | number {
  const known = findProgram(k.config, path);
  if (known !== undefined) return isUnlinked(k, known.file) ? -ENOENT : known;
  const other = k.config.files.findIndex((one) => one.path === path);
  if (other >= 0) return isUnlinked(k, other) ? -ENOENT : { ...pattern(k), path, file: other };
  const image = executable(world.host, path, PROGRAM_SIZE);
  const file = addFile(k, image);
  if (file < 0) return file;
  return { ...pattern(k), path, file, image, setuid: setuidOf(path) };
}

function pattern(k: Kernel): Program {
  return findProgram(k.config, PATTERN) as Program;
}

/** A reference to a file's PATH, or -ENOSPC. */
export function fileAt(k: Kernel, world: World, path: string): Ptr {
  const index = k.config.files.findIndex((file) => file.path === path);
  if (index >= 0 && !isUnlinked(k, index)) return pathGet(k, configPath(k, index));
  const plain = dataFile(world.host, path, FILE_SIZE);
  const added = addFile(k, isDevice(path) ? { ...plain, mode: S_IFCHR_0666, size: 0 } : plain);
  return added < 0 ? added : pathGet(k, configPath(k, added));
}

function isUnlinked(k: Kernel, file: number): boolean {
  return k.m.load(configPath(k, file) + PATH.deleted) !== 0;
}
