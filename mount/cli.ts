/** The command line: `main` runs one command and gives its exit status. */
import { CommanderError, Help } from "commander";
import type { Command, Option } from "commander";
import { EXIT } from "./cli/exit-codes.ts";
import { createProgram } from "./cli/program.ts";
import { packageVersion } from "./version.ts";

/**
 * Never throws: errors become one sentence on standard error and a status of `cli/exit-codes.ts`.
 *
 * @param argv arguments without node and the program.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const output = watchOutput();
  const status = await run(argv);
  // What becomes of the last thing that was written turns out a little later.
  await new Promise(setImmediate);
  return output.lost ? EXIT.failed : status;
}

async function run(argv: readonly string[]): Promise<number> {
  let status: number = EXIT.ok;
  const finish = (result: number): void => {
    status = result;
  };
  const program = createProgram({ version: packageVersion(), argv, limits: await transportLimits(argv), finish });
  for (const command of [program, ...program.commands]) {
    plainErrors(command);
    plainHelp(command);
  }
  try {
    if (argv.length === 0) {
      program.error("error: missing command");
    }
    await program.parseAsync(argv, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    return complain(error);
  }
}

async function complain(error: unknown): Promise<number> {
  const { explain } = await import("./cli/failure.ts");
  const { sentence, status } = explain(error);
  process.stderr.write(`synthproc: ${sentence}\n`);
  return status;
}

/**
 * Who reads our output may stop early (`| head`): that is no error, and a server goes on. Output that is lost for another
 * reason (a full disk) is complained of at once, and the command has failed. Complaints that are lost have nobody to be
 * told to; the status says enough.
 *
 * @returns whether output was lost, as it stands when it's asked
 */
function watchOutput(): { readonly lost: boolean } {
  const output = { lost: false };
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || output.lost) return;
    output.lost = true;
    process.stderr.write(`synthproc: standard output can't be written: ${error.message.replace(/, write$/, "")}\n`);
  });
  return output;
}

/** Only help shows them, and only help should wait for that module. */
async function transportLimits(argv: readonly string[]): Promise<readonly string[]> {
  if (!argv.some((word) => ["-h", "--help", "help"].includes(word))) {
    return [];
  }
  return (await import("./transport/fuse-native.ts")).FUSE_NATIVE_LIMITS;
}

/** Usage errors: one sentence, and where to read more. */
function plainErrors(command: Command): void {
  const name = command.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`;
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const sentence = text
        .replace(/^error: /, "")
        .replace(/\s*\n\s*/g, " ")
        .trim();
      write(`synthproc: ${sentence.replace(/\.$/, "")}; see ${name} --help\n`);
    },
  });
}

/** That a flag is off unless it is given needs no saying. */
function plainHelp(command: Command): void {
  const help = new Help();
  const optionDescription = (option: Option): string =>
    help.optionDescription(option).replace(/ ?\(default: (false|\[\])\)/, "");
  command.configureHelp({ optionDescription });
}
