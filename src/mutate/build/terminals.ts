/** Terminals: their device numbers, sessions and foreground process groups. */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, MAX_TTYS, TTY } from "../../kernel/layout.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Tty } from "../scenario-types.ts";

/** dev_t as stat shows it (new_encode_dev). */
function encodeDevice(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

/**
 * What SIGNAL.tty says for a terminal: its index in the host's table, plus 1; it is entered when it is seen first.
 * @throws RangeError if there are more terminals than the table holds
 */
export function terminalOf(k: Kernel, tty: Tty): number {
  const { m } = k;
  const nr = encodeDevice(tty.major, tty.minor);
  for (let i = 0; i < MAX_TTYS; i++) {
    const at = entry(i + 1);
    const found = m.load(at + TTY.nr);
    if (found === nr) return i + 1;
    if (found !== 0) continue;
    m.store(at + TTY.nr, nr);
    return i + 1;
  }
  throw new RangeError(`more than ${MAX_TTYS} terminals`);
}

/** Makes a process group the foreground one of a terminal (tcsetpgrp). */
export function setForeground(k: Kernel, terminal: number, pgrp: number): void {
  k.m.store(entry(terminal) + TTY.foreground, pgrp);
}

function entry(terminal: number): Ptr {
  return HOST.ttys + (terminal - 1) * TTY.words;
}
