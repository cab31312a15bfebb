/**
 * Builds programs for the explorer: reads sources, decides which functions become generators, writes a tree of the same
 * shape with scripts, and the table of their accesses. One builder makes many variants of a program: what an edit
 * does not touch is neither read nor analysed again.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type ts from "typescript";
import type { Site } from "../explore/report.ts";
import { Colours } from "./colour.ts";
import { skeletonOf } from "./declarations.ts";
import type { Output } from "./emit.ts";
import { emit } from "./emit.ts";
import { allEntries, alwaysGenerators } from "./entries.ts";
import type { Facts } from "./facts.ts";
import { FactReader } from "./facts.ts";
import { PROGRAM_FILE } from "./load.ts";
import type { ProgramFile } from "./load.ts";
import { TransformError } from "./problem.ts";
import type { Edits, Sources } from "./sources.ts";
import { SourceReader } from "./sources.ts";

/** What to build. */
export interface BuildOptions {
  /** Paths from the root of the checkout; all scenarios, the model and the workloads unless given. */
  readonly entries?: readonly string[];
  /** Deliberate changes. */
  readonly edits?: Edits;
  /** Where the tree is written; a new folder in the system's place for temporary files unless given. */
  readonly outDir?: string;
}

/** A transformed program. */
export interface Program {
  /** By path from the root of the checkout. */
  readonly outputs: ReadonlyMap<string, Output>;
  /** By number; some numbers have none. */
  readonly sites: readonly (Site | null)[];
}

interface Emitted {
  readonly kinds: string;
  readonly first: number;
  readonly output: Output;
}

/** Builds programs of one checkout. */
export class ProgramBuilder {
  private readonly reader: SourceReader;
  private facts = new WeakMap<ts.SourceFile, Facts>();
  /** What the facts rest on. */
  private skeletons = new Map<string, string>();
  private readonly emitted = new WeakMap<ts.SourceFile, Emitted>();
  /** Numbers given for good, to files as they are on disk. */
  private sites = 0;

  /** @param root folder with tsconfig.json and the sources */
  constructor(root: string) {
    this.reader = new SourceReader(root);
  }

  /**
   * Writes a program.
   * @returns the folder of the tree
   * @throws TransformError if the sources have what cannot be treated soundly
   */
  build(options: BuildOptions = {}): string {
    const entries = options.entries ?? allEntries(this.reader.root);
    const program = this.transform(entries, options.edits);
    const outDir = options.outDir ?? mkdtempSync(join(tmpdir(), "synthproc-check-"));
    writeProgram(outDir, entries, program);
    return outDir;
  }

  /** Transforms a program. @throws TransformError */
  transform(entries: readonly string[], edits: Edits = new Map()): Program {
    const sources = this.reader.read(entries, edits);
    const facts = this.readFacts(sources);
    const colours = new Colours(facts, alwaysGenerators(sources));
    const problems = [...sources.problems, ...facts.flatMap((of) => colours.problemsOf(of))];
    if (problems.length > 0) throw new TransformError(problems);
    return this.emitAll(facts, colours, edits);
  }

  private readFacts(sources: Sources): Facts[] {
    const skeletons = new Map([...sources.files].map(([file, source]) => [file, skeletonOf(source)]));
    if (!sameEntries(skeletons, this.skeletons)) this.facts = new WeakMap();
    this.skeletons = skeletons;
    const reader = new FactReader(sources);
    return [...sources.files].map(([file, source]) => {
      const facts = this.facts.get(source) ?? reader.read(file);
      this.facts.set(source, facts);
      return facts;
    });
  }

  private emitAll(files: readonly Facts[], colours: Colours, edits: Edits): Program {
    const outputs = new Map<string, Output>();
    const sites: (Site | null)[] = [];
    const place = (facts: Facts, first: number): number => {
      const { output } = this.emitOne(facts, colours, first);
      outputs.set(facts.file, output);
      output.sites.forEach((site, i) => (sites[first + i] = site));
      return output.sites.length;
    };
    for (const facts of files) {
      if (edits.has(facts.file)) continue;
      const known = this.emitted.get(facts.source)?.first;
      const count = place(facts, known ?? this.sites);
      if (known === undefined) this.sites += count;
    }
    let next = this.sites;
    for (const facts of files) if (edits.has(facts.file)) next += place(facts, next);
    return { outputs, sites: Array.from({ length: next }, (_, i) => sites[i] ?? null) };
  }

  private emitOne(facts: Facts, colours: Colours, first: number): Emitted {
    const keys = [...facts.functions.keys(), ...facts.calls.map(({ callee }) => callee)];
    const kinds = keys.map((key) => (colours.isGenerator(key) ? "*" : "-")).join("");
    const known = this.emitted.get(facts.source);
    if (known?.kinds === kinds && known.first === first) return known;
    const emitted = { kinds, first, output: emit(facts, colours, first) };
    this.emitted.set(facts.source, emitted);
    return emitted;
  }
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function writeProgram(outDir: string, entries: readonly string[], { outputs, sites }: Program): void {
  const folders = new Set([...outputs.keys()].map((file) => join(outDir, dirname(file))));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  for (const [file, { text }] of outputs) writeFileSync(join(outDir, scriptOf(file)), text);
  writeFileSync(join(outDir, "package.json"), '{ "type": "module" }\n');
  const digest = createHash("sha256");
  for (const { text } of outputs.values()) digest.update(text);
  const description: ProgramFile = { entries: entries.map(scriptOf), sites, digest: digest.digest("hex") };
  writeFileSync(join(outDir, PROGRAM_FILE), JSON.stringify(description));
}

function scriptOf(file: string): string {
  return file.replace(/\.ts$/, ".js");
}
