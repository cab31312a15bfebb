/** The address space of a captured process: the same mappings, the same sizes. */
import type { Kernel } from "../../kernel/kernel.ts";
import { MM, PAGE_SIZE } from "../../kernel/layout.ts";
import { pathGet, pathNew } from "../../kernel/path.ts";
import type { CapturedPaths } from "../../mm/captured.ts";
import { loadCaptured } from "../../mm/captured.ts";
import { mmAlloc } from "../../mm/mm.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Exact, ExactVma, Group } from "../scenario-types.ts";
import { STAT_ADDRESSES } from "./exact.ts";

const KB_PER_PAGE = PAGE_SIZE / 1024;
const DELETED = " (deleted)";
const S_IFREG_0755 = 0o100755;

/**
 * The address space of a group's captured process, or NULL if it had none.
 * @param paths files that captured processes share; holds a reference to each
 */
export function loadExact(k: Kernel, group: Group, paths: CapturedPaths): Ptr {
  const exact = group.exact as Exact;
  const maps = exact.maps ?? unseenMaps(exact);
  if (maps === null) return 0;
  const mm = mmAlloc(k);
  loadCaptured(k, mm, maps, paths);
  setAddresses(k, mm, exact);
  setTexts(k, mm, exact);
  setSizes(k, mm, exact);
  if (exact.maps === null) k.m.store(mm + MM.lockedVm, kilobytes(exact.status["VmLck"]) / KB_PER_PAGE);
  k.m.store(mm + MM.exeFile, exeFile(k, group.exe, paths));
  return mm;
}

const UNSEEN_START = 0x7f0000000000;
const UNSEEN_STACK_END = 0x7ffffffde000;

/** Mappings of the right sizes for a process whose own could not be read; null if it has no address space. */
function unseenMaps({ status }: Exact): ExactVma[] | null {
  if (status["VmSize"] === undefined) return null;
  const size = (name: string): number => kilobytes(status[name]) * 1024;
  const stack = size("VmStk");
  const anonymous = kilobytes(status["RssAnon"]);
  const files = kilobytes(status["RssFile"]) + kilobytes(status["RssShmem"]);
  const main = { ...UNSEEN, start: UNSEEN_START, end: UNSEEN_START + size("VmSize") - stack };
  const all = [{ ...main, smaps: { Rss: anonymous + files, Anonymous: anonymous } }];
  const stackStart = UNSEEN_STACK_END - stack;
  if (stack > 0) all.push({ ...UNSEEN, start: stackStart, end: UNSEEN_STACK_END, path: "[stack]", smaps: NO_PAGES });
  return all;
}

const NO_PAGES = { Rss: 0, Anonymous: 0 };
const UNSEEN = { perms: "rw-p", offset: 0, major: 0, minor: 0, inode: 0, path: "", vmFlags: [] };

function setAddresses(k: Kernel, mm: Ptr, { stat }: Exact): void {
  for (const [name, field] of STAT_ADDRESSES) k.m.store64(mm + field, stat[name] ?? 0);
}

function setTexts(k: Kernel, mm: Ptr, exact: Exact): void {
  const { m } = k;
  const auxv = exact.auxv ?? "";
  m.store(mm + MM.argv, k.bytes(latin1Bytes(exact.cmdline)));
  m.store(mm + MM.envp, k.bytes(latin1Bytes(exact.environ ?? "")));
  m.store(mm + MM.auxv, auxv === "" ? 0 : k.bytes(latin1Bytes(auxv)));
}

/** What status counts otherwise than by the mappings: largest sizes so far, page tables. */
function setSizes(k: Kernel, mm: Ptr, { status }: Exact): void {
  const { m } = k;
  m.store64(mm + MM.hiwaterVm, kilobytes(status["VmPeak"]) / KB_PER_PAGE);
  m.store(mm + MM.hiwaterRss, kilobytes(status["VmHWM"]) / KB_PER_PAGE);
  m.store(mm + MM.pgtablesBytes, kilobytes(status["VmPTE"]) * 1024);
  m.store(mm + MM.pinnedVm, kilobytes(status["VmPin"]) / KB_PER_PAGE);
}

function kilobytes(text: string | undefined): number {
  return Number.parseInt((text ?? "0").trim(), 10) || 0;
}

/** The PATH of the executable: the one that is mapped, if it is. */
function exeFile(k: Kernel, exe: string, paths: CapturedPaths): Ptr {
  if (exe === "") return 0;
  for (const [key, path] of paths) if (key.endsWith(`:${exe}`)) return pathGet(k, path);
  const deleted = exe.endsWith(DELETED);
  return pathNew(k, { name: deleted ? exe.slice(0, -DELETED.length) : exe, deleted, mode: S_IFREG_0755 });
}
