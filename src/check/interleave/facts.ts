/**
 * What one file says: which function calls which, where shared memory is accessed, and which function values may be found
 * under which type of function (flow.ts). Facts name other files' declarations by keys, so that they stay true while
 * nothing changes there but bodies.
 */
import ts from "typescript";
import type { Callable, Key } from "./declarations.ts";
import { keyOf } from "./declarations.ts";
import { Flow } from "./flow.ts";
import type { AccessKind } from "./memory.ts";
import { accessKind, isMemoryClass, MEMORY_FILE } from "./memory.ts";
import type { Place } from "./places.ts";
import { placeOf, unfitness } from "./places.ts";
import type { Problem } from "./problem.ts";
import { problemAt } from "./problem.ts";
import { forbiddenAt } from "./forbidden.ts";
import type { Sources } from "./sources.ts";

/** A call of functions that may turn out to reach shared memory. */
export interface CallFact {
  readonly node: ts.CallExpression | ts.TaggedTemplateExpression;
  readonly place: Place;
  /** One of the functions that it may call; the others are of one kind with it. */
  readonly callee: Key;
}

/** A call that is an access. */
export interface AccessFact {
  readonly node: ts.CallExpression;
  readonly place: Place;
  readonly kind: AccessKind;
  /** The method of Memory. */
  readonly method: string;
}

/** Something that is a problem only if the function reaches shared memory. */
export interface Restriction {
  readonly key: Key;
  readonly problem: Problem;
}

export interface Facts {
  readonly file: string;
  readonly source: ts.SourceFile;
  /** The functions that have a body here. */
  readonly functions: ReadonlyMap<Key, Callable>;
  readonly calls: readonly CallFact[];
  readonly accesses: readonly AccessFact[];
  /** Pairs of which one may stand where the other is called. */
  readonly same: readonly (readonly [Key, Key])[];
  readonly restrictions: readonly Restriction[];
  /** Functions that stand for others which nobody knows: a problem unless they are generators whatever they do. */
  readonly unknown: readonly Restriction[];
  readonly problems: readonly Problem[];
}

/** Reads facts from the files of one program. */
export class FactReader {
  private readonly sources: Sources;
  private readonly checker: ts.TypeChecker;

  constructor(sources: Sources) {
    this.sources = sources;
    this.checker = sources.program.getTypeChecker();
  }

  /** @param file path from the root; one of the program's */
  read(file: string): Facts {
    const source = this.sources.files.get(file) as ts.SourceFile;
    return new FileReader(this.sources, this.checker, file, source).read();
  }
}

class FileReader {
  private readonly sources: Sources;
  private readonly checker: ts.TypeChecker;
  private readonly file: string;
  private readonly source: ts.SourceFile;
  private readonly flow: Flow;
  private readonly functions = new Map<Key, Callable>();
  private readonly calls: CallFact[] = [];
  private readonly accesses: AccessFact[] = [];
  private readonly same: [Key, Key][] = [];
  private readonly restrictions: Restriction[] = [];
  private readonly unknown: Restriction[] = [];
  private readonly problems: Problem[] = [];

  constructor(sources: Sources, checker: ts.TypeChecker, file: string, source: ts.SourceFile) {
    this.sources = sources;
    this.checker = checker;
    this.file = file;
    this.source = source;
    this.flow = new Flow(checker, {
      same: (a, b, node) => this.unite(a, b, node),
      leaves: (callable, node, message) => this.restrict(callable, node, message),
      appears: (callable, node, message) => this.addUnknown(callable, node, message),
      problem: (node, message) => this.problem(node, message),
      isOwn: (declaration) => this.isOwn(declaration),
    });
  }

  read(): Facts {
    this.visit(this.source, false);
    const { file, source, functions, calls, accesses, same, restrictions, unknown, problems } = this;
    return { file, source, functions, calls, accesses, same, restrictions, unknown, problems };
  }

  private visit(node: ts.Node, raw: boolean): void {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (ts.isFunctionLike(node)) this.visitFunction(node);
    const untouched = raw || this.isRawMethod(node);
    if (!untouched) this.visitExpression(node);
    ts.forEachChild(node, (child) => this.visit(child, untouched));
  }

  private visitExpression(node: ts.Node): void {
    const forbidden = forbiddenAt(node, this.checker, (symbol) => this.moduleConstant(symbol));
    if (forbidden !== null && !this.isWithinMemory(node)) this.problem(node, forbidden);
    if (ts.isCallExpression(node) || ts.isTaggedTemplateExpression(node)) this.visitCall(node);
    if (ts.isPropertyAccessExpression(node)) this.visitProperty(node);
    if (ts.isElementAccessExpression(node)) this.visitElement(node);
    if (node.kind === ts.SyntaxKind.SuperKeyword || (ts.isIdentifier(node) && node.text === "arguments"))
      this.visitOuterName(node);
    this.flow.visit(node);
  }

  private visitFunction(node: Callable): void {
    const symbol = this.checker.getSymbolAtLocation(node.name ?? node);
    if ("body" in node && node.body !== undefined) {
      this.functions.set(keyOf(node), node);
      const wrong = unfitness(node);
      if (wrong !== null) this.restrict(node, node, `may be called where shared memory is reached ${wrong}`);
    }
    for (const other of symbol?.declarations ?? []) {
      if (other !== node && ts.isFunctionLike(other) && !isAccessor(node)) this.unite(node, other, node);
    }
  }

  private visitCall(node: ts.CallExpression | ts.TaggedTemplateExpression): void {
    const callee = ts.isCallExpression(node) ? node.expression : node.tag;
    if (callee.kind === ts.SyntaxKind.SuperKeyword) return;
    if (callee.kind === ts.SyntaxKind.ImportKeyword) {
      this.problem(node, "import(): import the module at the top of the file");
      return;
    }
    const targets = this.flow.calleesOf(node, callee);
    if (targets === null) {
      this.problem(callee, `cannot tell what ${textOf(callee)} is: give it a type`);
      return;
    }
    const [first, ...others] = targets;
    if (first === undefined) return;
    for (const other of others) this.unite(first, other, node);
    const access = this.accessOf(first);
    if (access !== undefined) this.visitAccess(node, access);
    else this.addCall(node, first);
  }

  private addCall(node: ts.CallExpression | ts.TaggedTemplateExpression, callee: Callable): void {
    this.calls.push({ node, place: placeOf(node), callee: keyOf(callee) });
    if (ts.isTaggedTemplateExpression(node)) this.restrict(callee, node, "a tag that reaches shared memory: call it");
    else if (ts.isOptionalChain(node))
      this.restrict(callee, node, "an optional call that reaches shared memory: ask by if whether there is something");
  }

  /** Names of the function around an arrow function, which it loses when it becomes a function of its own. */
  private visitOuterName(node: ts.Node): void {
    const callable = ts.findAncestor(node, ts.isFunctionLike);
    if (callable !== undefined && ts.isArrowFunction(callable))
      this.restrict(
        callable,
        node,
        `${node.getText()} in an arrow function that reaches shared memory: name it outside`,
      );
  }

  private visitAccess(node: ts.CallExpression | ts.TaggedTemplateExpression, kind: AccessKind): void {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression) || ts.isOptionalChain(node)) {
      this.problem(node, "an access has to be a plain call of a method: memory.load(at)");
    } else if (node.arguments.length === 0 || node.arguments.some(ts.isSpreadElement)) {
      this.problem(node, "an access has to name its arguments one by one");
    } else if (/\/[/*]/.test(this.source.text.slice(node.expression.expression.end, node.arguments.pos))) {
      this.problem(node, "a comment between memory and its method: put it elsewhere");
    } else {
      this.accesses.push({ node, place: placeOf(node), kind, method: node.expression.name.text });
    }
  }

  /** A method of Memory that isn't called here. */
  private visitProperty(node: ts.PropertyAccessExpression): void {
    if (ts.isCallExpression(node.parent) && node.parent.expression === node) return;
    const declaration = this.checker.getSymbolAtLocation(node.name)?.valueDeclaration;
    if (declaration !== undefined && ts.isMethodDeclaration(declaration) && this.accessOf(declaration) !== undefined) {
      this.problem(node, "an access used as a value: write a function that makes the access");
    }
  }

  private visitElement(node: ts.ElementAccessExpression): void {
    const owner = this.checker.getTypeAtLocation(node.expression).symbol?.valueDeclaration;
    if (owner !== undefined && this.isMemory(owner))
      this.problem(node, "a member of memory by another way than its name: write memory.name");
  }

  private accessOf(declaration: Callable): AccessKind | undefined {
    if (!ts.isMethodDeclaration(declaration) || !this.isMemory(declaration.parent)) return undefined;
    return accessKind(declaration.name.getText());
  }

  /** True for a method that is an access: its body is left as it is. */
  private isRawMethod(node: ts.Node): boolean {
    return ts.isMethodDeclaration(node) && this.accessOf(node) !== undefined;
  }

  private isWithinMemory(node: ts.Node): boolean {
    for (let at = node; !ts.isSourceFile(at); at = at.parent) if (this.isMemory(at)) return true;
    return false;
  }

  private isMemory(node: ts.Node): boolean {
    return isMemoryClass(node, (source) => source === this.sources.files.get(MEMORY_FILE));
  }

  private isOwn(declaration: ts.Node): boolean {
    const { fileName, isDeclarationFile } = declaration.getSourceFile();
    return !isDeclarationFile && fileName.startsWith(this.sources.root) && !fileName.includes("/node_modules/");
  }

  /** The declaration of a constant at the top of a file that the symbol (perhaps imported) stands for. */
  private moduleConstant(symbol: ts.Symbol): ts.VariableDeclaration | undefined {
    const real = symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
    const declaration = real.valueDeclaration;
    if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return undefined;
    if ((declaration.parent.flags & ts.NodeFlags.Const) === 0) return undefined;
    return ts.isSourceFile(declaration.parent.parent.parent) && this.isOwn(declaration) ? declaration : undefined;
  }

  private unite(a: Callable, b: Callable, node: ts.Node): void {
    if (this.accessOf(a) !== undefined || this.accessOf(b) !== undefined) {
      this.problem(node, "Memory under another type: its accesses have to be visible as calls of its methods");
    } else {
      this.same.push([keyOf(a), keyOf(b)]);
    }
  }

  private restrict(callable: Callable, node: ts.Node, message: string): void {
    if (this.accessOf(callable) !== undefined) this.problem(node, message);
    else this.restrictions.push({ key: keyOf(callable), problem: problemAt(this.file, node, message) });
  }

  /** Of a function with a body it's known what it does. */
  private addUnknown(callable: Callable, node: ts.Node, message: string): void {
    if ("body" in callable && callable.body !== undefined) return;
    this.unknown.push({ key: keyOf(callable), problem: problemAt(this.file, node, message) });
  }

  private problem(node: ts.Node, message: string): void {
    this.problems.push(problemAt(this.file, node, message));
  }
}

function isAccessor(node: ts.Node): boolean {
  return ts.isGetAccessorDeclaration(node) || ts.isSetAccessorDeclaration(node);
}

/** A node's text on one line. */
export function textOf(node: ts.Node): string {
  return node.getText().replace(/\s+/g, " ");
}
