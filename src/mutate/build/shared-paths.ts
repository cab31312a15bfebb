/** PATHs by name: files of the configuration, and those that processes have open. */
import type { Kernel } from "../../kernel/kernel.ts";
import { configPath, pathGet, pathNew, pathPut } from "../../kernel/path.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Host } from "../scenario-types.ts";
import { inodeOf, mountOf } from "./images.ts";

const S_IFDIR_0755 = 0o40755;
const S_IFCHR_0666 = 0o20666;
const S_IFCHR_0620 = 0o20620;
const S_IFREG_0644 = 0o100644;
const ROOT_INODE = 2;
const LOG_SIZE = 65_536;
/** Inode numbers of devtmpfs. */
const DEVICES: Record<string, number> = { "/dev/null": 4, "/dev/zero": 6, "/dev/full": 7, "/dev/urandom": 9 };

/** One PATH for each name; the cache holds a reference to each until {@link SharedPaths.release}. */
export class SharedPaths {
  private readonly k: Kernel;
  private readonly host: Host;
  private readonly configured = new Map<string, number>();
  private readonly files = new Map<string, Ptr>();
  private readonly directories = new Map<string, Ptr>();

  constructor(k: Kernel, host: Host) {
    this.k = k;
    this.host = host;
    for (let i = 0; i < k.config.files.length; i++) this.configured.set(k.config.files[i]!.path, i);
  }

  /** A reference to a file's PATH. */
  file(name: string): Ptr {
    const known = this.files.get(name);
    if (known !== undefined) return pathGet(this.k, known);
    const index = this.configured.get(name);
    const mode = isDevice(name) ? deviceMode(name) : S_IFREG_0644;
    const path = index === undefined ? this.create(name, mode) : pathGet(this.k, configPath(this.k, index));
    this.files.set(name, path);
    return pathGet(this.k, path);
  }

  /** A reference to a directory's PATH. */
  directory(name: string): Ptr {
    const known = this.directories.get(name);
    if (known !== undefined) return pathGet(this.k, known);
    const path = this.create(name, S_IFDIR_0755);
    this.directories.set(name, path);
    return pathGet(this.k, path);
  }

  /** Drops the references that the cache itself holds. */
  release(): void {
    for (const paths of [this.files, this.directories]) {
      for (const path of paths.values()) pathPut(this.k, path);
      paths.clear();
    }
  }

  private create(name: string, mode: number): Ptr {
    const deleted = name.endsWith(" (deleted)");
    const plain = deleted ? name.slice(0, -" (deleted)".length) : name;
    const { major, minor } = mountOf(this.host, plain);
    const ino = plain === "/" ? ROOT_INODE : (DEVICES[plain] ?? inodeOf(plain));
    const size = mode === S_IFREG_0644 ? LOG_SIZE : 0;
    return pathNew(this.k, { name: plain, devMajor: major, devMinor: minor, ino, mode, size, deleted });
  }
}

/** True for the device files below /dev; /dev/shm and others are plain files. */
export function isDevice(name: string): boolean {
  return /^\/dev\/(null|zero|full|u?random|console|kmsg|fuse|ptmx|rtc0|tty\w*|pts\/\d+|input\/\w+|net\/tun)$/.test(
    name,
  );
}

function deviceMode(name: string): number {
  return /^\/dev\/(pts\/|tty[\dS])/.test(name) ? S_IFCHR_0620 : S_IFCHR_0666;
}
