/** Execs that fail on purpose. */
import type { ImageFile, KernelConfig, Program } from "../kernel/config.ts";

/**
 * Where an exec fails: nowhere; before the point of no return, as its file is no program (ENOEXEC), and nothing has
 * happened; halfway, when all but the credentials is new, and it is killed.
 */
export type ExecFailure = "none" | "before" | "halfway";

/** A program whose file has become something that nobody can execute. */
export function brokenProgram({ files }: KernelConfig, program: Program): Program {
  return { ...program, image: { ...(program.image ?? (files[program.file] as ImageFile)), segments: [] } };
}
