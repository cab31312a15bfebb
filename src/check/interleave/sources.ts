/**
 * The sources of a program: entry points and every relative module that they reach by imports of values. A variant (a few
 * files with another text) shares everything else with the program before it, so that many variants are cheap.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";
import type { Problem } from "./problem.ts";
import { problemAt } from "./problem.ts";

/** Texts that stand in the place of files, by path from the root of the checkout. */
export type Edits = ReadonlyMap<string, string>;

/** A parsed and bound program. */
export interface Sources {
  readonly root: string;
  /** Files that are transformed, in the order of their first import. Paths are relative to the root, with `/`. */
  readonly files: ReadonlyMap<string, ts.SourceFile>;
  readonly program: ts.Program;
  /** Imports that the program cannot hold. */
  readonly problems: readonly Problem[];
}

/** Reads programs of one checkout; keeps what didn't change from one to the next. */
export class SourceReader {
  readonly root: string;
  private readonly options: ts.CompilerOptions;
  private readonly host: ts.CompilerHost;
  private readonly parsed = new Map<string, ts.SourceFile>();
  private readonly edited = new Map<string, ts.SourceFile>();
  private readonly libraries = new Map<string, ts.SourceFile | undefined>();
  private edits: Edits = new Map();
  private previous: ts.Program | undefined;

  /** @param root folder with tsconfig.json and the sources */
  constructor(root: string) {
    this.root = resolve(root);
    this.options = readOptions(this.root);
    this.host = ts.createCompilerHost(this.options, true);
    const getLibrary = this.host.getSourceFile.bind(this.host);
    this.host.getSourceFile = (path, version) => {
      if (this.isOwn(path)) return this.parse(path);
      if (!this.libraries.has(path)) this.libraries.set(path, getLibrary(path, version));
      return this.libraries.get(path);
    };
  }

  /**
   * Reads a program.
   * @param entries paths from the root
   * @throws Error if a file does not exist
   */
  read(entries: readonly string[], edits: Edits): Sources {
    this.edits = edits;
    const problems: Problem[] = [];
    const files = this.reach(entries, problems);
    const names = [...files.keys()].map((file) => join(this.root, file));
    this.previous = ts.createProgram(names, this.options, this.host, this.previous);
    return { root: this.root, files, program: this.previous, problems };
  }

  /** Path from the root, with `/`. */
  nameOf(path: string): string {
    return relative(this.root, path).split(sep).join("/");
  }

  private isOwn(path: string): boolean {
    return path.startsWith(this.root + sep) && !path.includes(`${sep}node_modules${sep}`) && !path.endsWith(".d.ts");
  }

  /** The file as it stands now, the same object as before if its text is. */
  private parse(path: string): ts.SourceFile {
    const edit = this.edits.get(this.nameOf(path));
    const files = edit === undefined ? this.parsed : this.edited;
    const text = edit ?? readFileSync(path, "utf8");
    const known = files.get(path);
    if (known?.text === text) return known;
    const file = ts.createSourceFile(path, text, { languageVersion: ts.ScriptTarget.ES2022, impliedNodeFormat }, true);
    files.set(path, file);
    return file;
  }

  private reach(entries: readonly string[], problems: Problem[]): Map<string, ts.SourceFile> {
    const files = new Map<string, ts.SourceFile>();
    const visit = (path: string): void => {
      const name = this.nameOf(path);
      if (files.has(name)) return;
      const file = this.parse(path);
      files.set(name, file);
      for (const specifier of valueImports(file)) {
        if (specifier.text.startsWith(".")) visit(resolve(dirname(path), specifier.text));
        else problems.push(problemAt(name, specifier, `imports ${specifier.text}: only sources can be explored`));
      }
    };
    for (const entry of entries) visit(join(this.root, entry));
    return files;
  }
}

const impliedNodeFormat = ts.ModuleKind.ESNext;

function readOptions(root: string): ts.CompilerOptions {
  const { config, error } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, "\n"));
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root).options;
}

/** Specifiers of the imports that remain when types are gone. */
export function valueImports(file: ts.SourceFile): ts.StringLiteral[] {
  const found: ts.StringLiteral[] = [];
  for (const statement of file.statements) {
    const typeOnly =
      (ts.isImportDeclaration(statement) && statement.importClause?.isTypeOnly === true) ||
      (ts.isExportDeclaration(statement) && statement.isTypeOnly);
    if (typeOnly || !(ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))) continue;
    if (statement.moduleSpecifier !== undefined) found.push(statement.moduleSpecifier as ts.StringLiteral);
  }
  return found;
}
