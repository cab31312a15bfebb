/**
 * The watchdog: a tiny process that takes the mount down if the server is killed.
 *
 * It is a shell, because that costs 2 MB and a few milliseconds where another node would cost 42 MB and fifty. It
 * sits on the read end of a pipe whose only write end is ours; when we die, in whatever way, the pipe ends. It runs in
 * a session of its own, so that a Ctrl-C in our terminal does not reach it, and shows up in ps as
 * `synthproc-watchdog DIR`.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { MountError, errorText } from "./errors.ts";

/**
 * Standard input: a line "mounted MAJOR:MINOR" once the mount stands, a line "done" when we have unmounted. At its end
 * without "done", unmounts $1, but only if what is mounted there is that very file system, or (the line never came) a
 * FUSE mount whose server is gone. Mount points in mountinfo are octal-escaped; printf %b undoes that. If the real
 * /proc cannot be read (it may lie under the dead mount), unmounting the directory is all that is left to do.
 */
const SCRIPT = `
trap '' INT HUP TERM QUIT
device=
while read -r word value; do
  case $word in
    mounted) device=$value ;;
    done) exit 0 ;;
  esac
done
ours=
if { true < "$2/self/mountinfo"; } 2> /dev/null; then
  while read -r id parent dev root point rest; do
    [ "$(printf '%b_' "$point")" = "$1_" ] || continue
    case $rest in *" - fuse"*) ;; *) ours= ; continue ;; esac
    ours=$dev
  done < "$2/self/mountinfo"
  [ -n "$ours" ] || exit 0
  if [ -n "$device" ]; then [ "$ours" = "$device" ] || exit 0; else ls -d "$1/." > /dev/null 2>&1 && exit 0; fi
fi
exec umount -i -l -- "$1"
`;

export class Watchdog {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** Starts watching over what will be mounted on `dir`. */
  static async start(dir: string, procRoot = "/proc"): Promise<Watchdog> {
    const child = spawn("/bin/sh", ["-c", 'eval "$SYNTHPROC_WATCHDOG"', "synthproc-watchdog", dir, procRoot], {
      // Through the environment, to keep the line in ps short.
      env: { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`, SYNTHPROC_WATCHDOG: SCRIPT },
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
      cwd: "/",
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => {
        reject(new MountError("ESYNTH_THREAD", `The watchdog process could not start: ${errorText(error)}.`));
      });
    });
    // A watchdog that somebody killed must not take the server with it: its pipe then breaks, which is no fault of ours.
    child.stdin?.on("error", () => child.stdin?.destroy());
    child.unref();
    (child.stdin as unknown as { unref?: () => void }).unref?.();
    return new Watchdog(child);
  }

  /** Process id of the watchdog. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The mount stands; `device` is its major:minor. */
  mounted(device: string): void {
    this.child.stdin?.write(`mounted ${device}\n`);
  }

  /** The mount is gone; waits until the watchdog has ended. */
  async done(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.child.once("exit", () => resolve()));
    this.child.ref();
    this.child.stdin?.end("done\n");
    await ended;
  }
}
