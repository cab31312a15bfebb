/** Reading a real /proc, where everything may vanish at any moment. */
import { lstatSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { errorCode } from "../errors.ts";

/** Thrown when the process that is being read has ended. */
export class GoneError extends Error {
  override readonly name = "GoneError";
}

/** Errors that mean: the task is not there any more. */
const GONE = new Set(["ENOENT", "ESRCH"]);
/** Errors that mean: this caller may not see it, or it isn't there for this kind of task. */
const HIDDEN = new Set(["EACCES", "EPERM", "EINVAL", "EIO", "ENOTSUP"]);

/** The files of one process or thread, or of /proc itself. */
export class ProcFolder {
  readonly path: string;
  private readonly hidden: (name: string) => void;

  /** @param hidden is told the name of each file that this caller may not read */
  constructor(path: string, hidden: (name: string) => void) {
    this.path = path;
    this.hidden = hidden;
  }

  /** A file that must be there. @throws GoneError */
  bytes(name: string): Buffer {
    return this.must(name, () => readFileSync(`${this.path}/${name}`));
  }

  /** A file that must be there, as text: latin1, one byte a character. @throws GoneError */
  text(name: string): string {
    return this.bytes(name).toString("latin1");
  }

  /** A file that may be hidden from this caller, or absent: null then. */
  maybeBytes(name: string): Buffer | null {
    return this.may(name, () => readFileSync(`${this.path}/${name}`));
  }

  /** As {@link maybeBytes}, as latin1 text. */
  maybeText(name: string): string | null {
    return this.maybeBytes(name)?.toString("latin1") ?? null;
  }

  /** The target of a link; null if it has none, or may not be followed. */
  maybeLink(name: string): Buffer | null {
    return this.may(name, () => readlinkSync(`${this.path}/${name}`, { encoding: "buffer" }));
  }

  /** The entries of a directory; none if it may not be listed. */
  list(name: string): string[] {
    return this.may(name, () => readdirSync(`${this.path}/${name}`)) ?? [];
  }

  /** st_mode and owner of an entry itself, not of what it leads to; null if it is hidden or absent. */
  maybeStat(name: string): { mode: number; uid: number } | null {
    return this.may(name, () => lstatSync(`${this.path}/${name}`));
  }

  /** The folder of an entry. */
  within(name: string): ProcFolder {
    return new ProcFolder(`${this.path}/${name}`, (file) => this.hidden(`${name}/${file}`));
  }

  private must<T>(name: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (GONE.has(errorCode(error))) throw new GoneError(`${this.path}/${name}`);
      throw error;
    }
  }

  private may<T>(name: string, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      const code = errorCode(error);
      if (GONE.has(code)) return null;
      if (!HIDDEN.has(code)) throw error;
      this.hidden(name);
      return null;
    }
  }
}
