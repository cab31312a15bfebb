/** The commands with their options and help texts. What a command does is loaded when it runs. */
import { Command, Option } from "commander";
import { BY_SIGNAL, EXIT_CODES } from "./exit-codes.ts";
import {
  MAX_SEED,
  MAX_THREADS,
  addLogOptions,
  addSimulationOptions,
  decimal,
  file,
  integer,
  integerList,
  integerOrAll,
} from "./options.ts";
import type { BenchFlags } from "./bench.ts";
import type { CheckFlags } from "./check.ts";
import type { CtlOptions } from "./ctl.ts";
import type { MountFlags } from "./mount.ts";
import type { SimulationFlags } from "./options.ts";

const MAX_PID = 4_194_304;
/** CPUs of a computed machine. */
const MAX_VIRTUAL_CPUS = 1024;
/** Instances of ps at a time. */
const MAX_PS = 1024;
/** Of preemptions and priority changes; more make no difference to any scenario. */
const MAX_BOUND = 1000;
const FORMS = ["lockfree", "locked"];

/** Takes the status with which the program ends. */
export type Finish = (status: number) => void;

export interface ProgramContext {
  version: string;
  /** The command line as it was given. */
  argv: readonly string[];
  /** What one of the transports can't do, for the help of the commands that have a choice. */
  limits: readonly string[];
  finish: Finish;
}

export function createProgram({ version, argv, limits, finish }: ProgramContext): Command {
  const program = new Command("synthproc")
    .description("A synthetic, constantly changing Linux /proc that real tools read.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .addHelpText("after", examples(["synthproc run -- ps -ef", "synthproc mount --help"]) + exitStatuses());
  addMount(program, argv, limits, finish);
  addUmount(program, finish);
  addRun(program, limits, finish);
  addCtl(program, finish);
  addKcmp(program, finish);
  addCapture(program, finish);
  addStats(program, finish);
  addBench(program, finish);
  addCheck(program, finish);
  return program;
}

function addMount(program: Command, argv: readonly string[], limits: readonly string[], finish: Finish): void {
  const command = program
    .command("mount")
    .description("Start a simulation and mount it; runs until it is unmounted or interrupted.")
    .argument("<dir>", "existing directory to mount on");
  addLogOptions(addSimulationOptions(command), "info")
    .option("-d, --daemon", "return when the mount is up, and serve in the background", false)
    .option("--log-file <file>", "with --daemon: log to this file (default: nowhere)", file)
    .option("--json", "say where it is mounted as one line of JSON", false)
    .addHelpText(
      "after",
      examples([
        "synthproc mount /mnt/box --scenario build --seed 7",
        "synthproc mount /mnt/box --scenario ./box.yaml --daemon",
        "synthproc mount /mnt/box --metrics 9464   # http://127.0.0.1:9464/metrics for Prometheus",
        "synthproc mount /mnt/box --ticks 1000 --seed 7   # the same tree each time",
      ]) +
        transportLimits(limits) +
        exitStatuses(),
    )
    .action(async (dir: string, flags: MountFlags) => {
      const { mount } = await import("./mount.ts");
      finish(await mount(dir, flags, argv));
    });
}

function addUmount(program: Command, finish: Finish): void {
  program
    .command("umount")
    .description("Unmount a simulation, and wait until its server has ended.")
    .argument("<dir>", "where it is mounted")
    .option("-f, --force", "detach it even if it is in use, and abort the requests that wait", false)
    .addHelpText("after", examples(["synthproc umount /mnt/box"]) + exitStatuses())
    .action(async (dir: string, flags: { force: boolean }) => {
      const { umount } = await import("./umount.ts");
      finish(await umount(dir, flags));
    });
}

function addRun(program: Command, limits: readonly string[], finish: Finish): void {
  const command = program
    .command("run")
    .description("Run a command with a simulation as its /proc (in a mount namespace of its own).")
    .usage("[options] -- <command> [arguments...]")
    .argument("<command...>", "command with its arguments")
    .passThroughOptions();
  addLogOptions(addSimulationOptions(command), "warn")
    .addHelpText(
      "after",
      examples([
        "synthproc run -- ps -ef",
        "synthproc run --scenario database -- top",
        "synthproc run --seed 7 --ticks 1000 -- sh -c 'ps aux | sort -nk4'",
      ]) +
        "\nThe exit status is that of the command.\n" +
        transportLimits(limits) +
        exitStatuses(),
    )
    .action(async (words: string[], flags: SimulationFlags) => {
      const { run } = await import("./run.ts");
      finish(await run(words, flags));
    });
}

function addCtl(program: Command, finish: Finish): void {
  const command = program.command("ctl");
  command
    .usage("[options] <dir> [commands...]\n       synthproc ctl --list")
    .description("Make something happen now in a mounted simulation: fork, exec, exit, mmap, ...")
    .argument("[dir]", "where it is mounted; with --list it may be left out")
    .argument("[commands...]", "command lines, one an argument; without any: lines of standard input")
    .option("-l, --list", "print the commands there are, with their arguments", false)
    .option("-k, --keep-going", "go on after a command that is refused", false)
    .addHelpText(
      "after",
      examples([
        "synthproc ctl /mnt/box 'exec 120 /usr/bin/foo'",
        "synthproc ctl --list",
        "synthproc ctl /mnt/box < commands.txt",
      ]) + exitStatuses(),
    )
    .action(async (dir: string | undefined, commands: string[], flags: CtlOptions & { list: boolean }) => {
      const { ctl, listCommands } = await import("./ctl.ts");
      if (flags.list) finish(await listCommands(dir, process.stdout));
      else if (dir === undefined) command.error("error: missing required argument 'dir'");
      else finish(await ctl(dir, commands, flags, process));
    });
}

function addKcmp(program: Command, finish: Finish): void {
  program
    .command("kcmp")
    .description("Do two processes or threads share a resource? As kcmp(2), with your own credentials.")
    .argument("<dir>", "where it is mounted")
    .argument("<pid1>", "a process or thread of the simulation")
    .argument("<pid2>", "another")
    .argument("<type>", "FILE, VM, FILES, FS, SIGHAND, IO, SYSVSEM, EPOLL_TFD, or its number")
    .argument("[idx1]", "FILE, EPOLL_TFD: a descriptor of the first")
    .argument("[idx2]", "FILE: a descriptor of the second; EPOLL_TFD: EFD:TFD:TOFF, what its epoll file EFD watches")
    .addHelpText(
      "after",
      "\nIt prints 0 if both share it, or else 1 or 2: which comes first, in an order that makes no other sense.\n" +
        examples(["synthproc kcmp /mnt/box 120 121 FILES", "synthproc kcmp /mnt/box 120 120 FILE 1 2"]) +
        exitStatuses(),
    )
    .action(async (dir: string, pid1: string, pid2: string, type: string, idx1?: string, idx2?: string) => {
      const { kcmp } = await import("./kcmp.ts");
      const words = [pid1, pid2, type, idx1, idx2].filter((word) => word !== undefined);
      finish(await kcmp(dir, words, process));
    });
}

function addCapture(program: Command, finish: Finish): void {
  const pid = integer(1, MAX_PID);
  program
    .command("capture")
    .description("Turn a real /proc into a scenario (YAML).")
    .option(
      "-p, --pid <pid>",
      "capture only this process; may be repeated",
      (text, all: number[]) => [...all, pid(text)],
      [],
    )
    .option("--proc <dir>", "where the real proc is mounted", file, "/proc")
    .option("--no-environ", "leave out the environments, which often hold secrets")
    .option("-o, --output <file>", "write to a file instead of standard output", file)
    .addHelpText(
      "after",
      examples(["synthproc capture > box.yaml", "synthproc capture --pid 1 --pid $$ --no-environ -o two.yaml"]) +
        exitStatuses(),
    )
    .action(async (flags: { pid: number[]; proc: string; environ: boolean; output?: string }) => {
      const { capture } = await import("./capture.ts");
      const { pid: pids, proc: procRoot, ...others } = flags;
      finish(await capture({ pids, procRoot, ...others }, process));
    });
}

function addStats(program: Command, finish: Finish): void {
  program
    .command("stats")
    .description("Print the counters of a mounted simulation: fast paths, retries, fallbacks, lock waits.")
    .argument("<dir>", "where it is mounted")
    .option("--json", "as one JSON object", false)
    .addHelpText(
      "after",
      examples(["synthproc stats /mnt/box", "synthproc stats --json /mnt/box | jq .paths.io"]) + exitStatuses(),
    )
    .action(async (dir: string, flags: { json: boolean }) => {
      const { stats } = await import("./stats.ts");
      finish(await stats(dir, flags, process.stdout));
    });
}

/** As many instances of ps as the published test ran, and fewer. */
const PS_COUNTS = [1, 2, 4, 8, 16, 32, 64, 128];

/** Options of a measurement, which computed CPUs have no use for. */
const MEASURING = ["where", "rounds", "seconds", "readers", "ps"];

function addBench(program: Command, finish: Finish): void {
  const list = integerList(1, MAX_PS);
  program
    .command("bench")
    .description("Measure the patched paths against the previous ones, both in one run.")
    .argument("[names...]", "what to measure (default: all); --list shows the names")
    .addOption(
      new Option("-l, --list", "print the names there are")
        .default(false)
        .conflicts([...MEASURING, "virtualCpus", "localWork", "json", "html", "seed"]),
    )
    .option("--json", "print the result as one JSON document", false)
    .option("--html <file>", "also write a report with plots, one file that needs nothing else", file)
    .addOption(
      new Option("--where <place>", "threads in this process, clients of a real mount, or both")
        .choices(["in-process", "mount", "both"])
        .default("both"),
    )
    .option("--rounds <n>", "how often each form is measured, alternating", integer(1, 1000), 6)
    .option("--seconds <n>", "length of each of these measurements", decimal(0.01, 3600), 0.15)
    .option("--readers <n>", "threads or clients that read without pause", integer(1, 32), 2)
    .addOption(
      new Option("--ps <n,n,...>", "ps: how many at a time").argParser(list).default(PS_COUNTS, PS_COUNTS.join()),
    )
    .addOption(
      new Option("--virtual-cpus <n>", "compute it for up to so many CPUs: see docs/benchmarks.md")
        .argParser(integer(1, MAX_VIRTUAL_CPUS))
        .conflicts(MEASURING),
    )
    .option("--local-work <ns>", "virtual CPUs: work of a path walk, or NAME=NS,... (default: measured here)")
    .option("--seed <n>", "seed of everything random (default: drawn, and in the result)", integer(0, MAX_SEED))
    .addHelpText(
      "after",
      examples([
        "synthproc bench",
        "synthproc bench io maps --seconds 1 --html report.html",
        "synthproc bench --virtual-cpus 128 ps maps",
        "synthproc bench ps --ps 1,16,128 --json > ps.json",
      ]) +
        "\nProgress goes to standard error. Ended by a signal, it cleans up.\n" +
        exitStatuses(),
    )
    .action(async (names: string[], flags: BenchFlags, command: Command) => {
      needs(command, "localWork", "virtualCpus");
      const { bench } = await import("./bench.ts");
      finish(await bench(names, flags, process));
    });
}

function addCheck(program: Command, finish: Finish): void {
  const command = program
    .command("check")
    .description("Explore the interleavings of the shipped protocol code: prove a scenario, or print what breaks it.")
    .argument("[names...]", "scenarios, or beginnings of names (default: all); a full name is that scenario alone")
    .addOption(
      new Option("-l, --list", "print the scenarios there are: name, forms, bound, what is shown")
        .default(false)
        .conflicts([...EXPLORING, "replay", "html", "stacks"]),
    )
    .addOption(new Option("--form <form>", "only this form (default: all that a scenario has)").choices(FORMS))
    .option("--quick", "only the scenarios that take seconds", false)
    .addOption(
      new Option("--bound <n>", "explore with at most so many preemptions, or all, instead of the scenario's own bound")
        .argParser(integerOrAll(0, MAX_BOUND))
        .conflicts("sample"),
    )
    .option("--sample <runs>", "explore so many runs at random instead", integer(1, 1e9))
    .option("--depth <n>", "of a sample: points of change of priority", integer(0, MAX_BOUND), 3)
    .option("--seed <n>", "of a sample", integer(0, MAX_SEED), 1)
    .option("--max-executions <n>", "end a scenario after so many executions", integer(1, 1e12))
    .option("--time-limit <seconds>", "end a scenario after so long", decimal(0.01, 1e6))
    .option("--jobs <n>", "threads that explore side by side (default: one per CPU)", integer(1, MAX_THREADS))
    .option("--keep-going", "explore the other scenarios too when one fails", false);
  addCheckOutput(command)
    .addHelpText(
      "after",
      examples([
        "synthproc check --quick",
        "synthproc check io kcmp --form lockfree",
        "synthproc check maps --sample 100000 --seed 7 --html report.html",
        "synthproc check --replay saved.json --html report.html",
      ]) +
        "\nA sample that finds nothing ends with 0, though it proves nothing. SIGINT ends it with what is known until then.\n" +
        exitStatuses(),
    )
    .action(async (names: string[], flags: CheckFlags, command: Command) => {
      needs(command, "depth", "sample");
      needs(command, "seed", "sample");
      const { check } = await import("./check.ts");
      finish(await check(names, flags, process));
    });
}

/** Options that say how to explore, and what becomes of it. */
const EXPLORING = ["bound", "sample", "depth", "seed", "maxExecutions", "timeLimit", "jobs", "keepGoing", "save"];

function addCheckOutput(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--replay <schedule>",
        "run this schedule of one scenario, or a kept one (FILE.json), and show it",
      ).conflicts([...EXPLORING, "quick"]),
    )
    .option("--stacks", "with each access of an interleaving, the calls that led to it", false)
    .option("--json", "print the result as one JSON document", false)
    .option("--html <file>", "also write a page that draws what fails, one file that needs nothing else", file)
    .option("--save <dir>", "keep failing schedules there (default: in a checkout, fixtures/schedules)", file)
    .option("--no-save", "keep none")
    .option("--program <dir>", "explore another transformed program than the shipped one", file);
}

/** Refuses an option that means nothing without another. Both as commander calls them. */
function needs(command: Command, option: string, other: string): void {
  if (command.getOptionValueSource(option) !== "cli" || command.getOptionValue(other) !== undefined) return;
  const flagsOf = (name: string): string => command.options.find((one) => one.attributeName() === name)!.flags;
  command.error(`error: option '${flagsOf(option)}' is of use only with option '${flagsOf(other)}'`);
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function transportLimits(limits: readonly string[]): string {
  return limits.length === 0 ? "" : `\nThe transport fuse-native:\n${limits.map((limit) => `  ${limit}\n`).join("")}`;
}

function exitStatuses(): string {
  const rows = EXIT_CODES.map(({ status, meaning }) => `  ${String(status).padStart(3)}  ${meaning}\n`);
  return `\nExit status:\n${rows.join("")}${BY_SIGNAL}.\n`;
}
