/** Reads this machine's own /proc for the formatter tests: the kernel's bytes are the expected ones. */
import { readFileSync, readdirSync } from "node:fs";

/** All process ids and thread directories, as paths below /proc. */
export function realTasks(): string[] {
  const found: string[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    found.push(name);
    for (const tid of listOrEmpty(`/proc/${name}/task`)) found.push(`${name}/task/${tid}`);
  }
  return found;
}

function listOrEmpty(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** A file's bytes as latin1, or undefined if its process is gone or the file is not ours to read. */
export function realText(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, "latin1");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return ["ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL"].includes(code);
}

/** The file of every process (or thread) that has it, as [path, text]. */
export function everywhere(file: string): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const task of realTasks()) {
    const text = realText(`${task}/${file}`);
    if (text !== undefined && text !== "") found.push([`${task}/${file}`, text]);
  }
  return found;
}
