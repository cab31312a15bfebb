/** Text of maps and VmFlags for tests of src/mm alone: as the real files have it. */
import type { Kernel } from "../../src/kernel/kernel.ts";
import { PATH } from "../../src/kernel/layout.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { Path } from "../../src/kernel/knobs.ts";
import type { CapturedVma } from "../../src/mm/captured.ts";
import { permsText, vmFlagsText } from "../../src/mm/flags.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import type { VmaSnapshot } from "../../src/mm/vma-snapshot.ts";
import { VmaName } from "../../src/mm/vma-snapshot.ts";
import { bytesText } from "../../src/shm/bytes.ts";

const NAME_COLUMN = 73;

function nameText(k: Kernel, v: VmaSnapshot): string {
  switch (v.nameKind) {
    case VmaName.none:
      return "";
    case VmaName.label:
      return v.label;
    case VmaName.anon:
      return `[anon:${bytesText(k.m, v.anonName)}]`;
    case VmaName.anonShmem:
      return `[anon_shmem:${bytesText(k.m, v.anonName)}]`;
    case VmaName.path: {
      const deleted = k.m.load(v.path + PATH.deleted) !== 0 ? " (deleted)" : "";
      return bytesText(k.m, k.m.load(v.path + PATH.name)).replaceAll("\n", "\\012") + deleted;
    }
  }
}

/** One line of maps, with its newline. */
export function lineOf(k: Kernel, v: VmaSnapshot): string {
  const hex = (value: number, width: number): string => value.toString(16).padStart(width, "0");
  const device = `${hex(v.dev >>> 20, 2)}:${hex(v.dev & 0xfffff, 2)}`;
  const fixed = `${hex(v.start, 8)}-${hex(v.end, 8)} ${permsText(v.flags)} ${hex(v.offset, 8)} ${device} ${v.ino} `;
  const name = nameText(k, v);
  return name === "" ? `${fixed}\n` : `${fixed.padEnd(NAME_COLUMN)}${name}\n`;
}

/** What `each` makes of all records of a walk, in order. */
export function walk<T>(k: Kernel, mm: number, each: (v: VmaSnapshot) => T, path: PathId = Path.maps): T[] {
  const maps = new MapsWalk();
  const found: T[] = [];
  let result = maps.start(k, mm, path, 0, 0);
  for (; result > 0; result = maps.next(k)) found.push(each(maps.vma));
  maps.stop(k);
  if (result < 0) throw new Error(`the walk ended with ${result}`);
  return found;
}

/** The whole of maps. */
export function mapsText(k: Kernel, mm: number): string {
  return walk(k, mm, (v) => lineOf(k, v)).join("");
}

/** The VmFlags lines of smaps. */
export function vmFlagsLines(k: Kernel, mm: number): string[] {
  return walk(k, mm, (v) => vmFlagsText(v.flags, v.flags2), Path.smaps);
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (....) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$/;

/** The records of a real smaps file (read as latin1), without the gate area. */
export function parseSmaps(smaps: string): CapturedVma[] {
  const records: (CapturedVma & { smaps: Record<string, number>; vmFlags: string[] })[] = [];
  for (const line of smaps.split("\n")) {
    const head = LINE.exec(line);
    const last = records[records.length - 1];
    const value = /^(\w+): +(\d+)/.exec(line);
    if (head !== null) {
      const [start, end, offset, major, minor] = [1, 2, 4, 5, 6].map((i) => parseInt(head[i] as string, 16)) as [
        number,
        number,
        number,
        number,
        number,
      ];
      const [perms, inode, path] = [head[3] as string, Number(head[7]), head[8] as string];
      records.push({ start, end, perms, offset, major, minor, inode, path, smaps: {}, vmFlags: [] });
    } else if (last !== undefined && value !== null) {
      last.smaps[value[1] as string] = Number(value[2]);
    } else if (last !== undefined && line.startsWith("VmFlags: ")) {
      last.vmFlags.push(...line.slice("VmFlags: ".length).trim().split(" "));
    }
  }
  return records.filter(({ path }) => path !== "[vsyscall]");
}
