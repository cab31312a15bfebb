/** Exit statuses of the command line: the one table, from which help texts and documents are made. */

export interface ExitCode {
  status: number;
  meaning: string;
}

const table = {
  ok: { status: 0, meaning: "done; a mount was taken down in good order" },
  failed: { status: 1, meaning: "the command failed: refused by the simulation, or an error of the system" },
  usage: {
    status: 2,
    meaning: "wrong usage: unknown command or option, missing or impossible value, unknown name for bench or check",
  },
  scenario: {
    status: 3,
    meaning: "the scenario to simulate is unknown, cannot be read, or is wrong (file, line and column are named)",
  },
  mountPoint: { status: 4, meaning: "the mount point is missing, no directory, in use, or holds no synthproc mount" },
  noFuse: { status: 5, meaning: "no FUSE here: no /dev/fuse, no mount(8), or not the transport that was asked for" },
  permission: { status: 6, meaning: "not permitted: needs root, or a user and mount namespace of its own" },
  mountFailed: { status: 7, meaning: "mounting, serving or unmounting failed for another reason" },
  violated: { status: 8, meaning: "check: a scenario fails; the interleaving that shows it was printed" },
  unfinished: {
    status: 9,
    meaning: "check: nothing was found, but a limit ended it before all that was asked for was explored",
  },
  internal: { status: 70, meaning: "an error in synthproc itself" },
  runFailed: { status: 125, meaning: "run: the simulation could not be set up, for any reason but wrong usage" },
  notExecutable: { status: 126, meaning: "run: the command was found but could not be executed" },
  notFound: { status: 127, meaning: "run: the command was not found" },
} as const satisfies Record<string, ExitCode>;

export const EXIT: { readonly [K in keyof typeof table]: number } = Object.fromEntries(
  Object.entries(table).map(([name, code]) => [name, code.status]),
) as { [K in keyof typeof table]: number };

/** All rows, in the order of their numbers. */
export const EXIT_CODES: readonly ExitCode[] = Object.values(table);

/** What stands below the rows: not one status, but many. */
export const BY_SIGNAL =
  "128 and more: a signal ended bench or check, or the command of run: 130 is SIGINT, 143 SIGTERM";

/** Status of a command that a signal ended, as a shell gives it. */
export function statusOfSignal(signal: number): number {
  return 128 + signal;
}
