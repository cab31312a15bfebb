/**
 * Names for functions and for the types of functions, which stay the same when only bodies of functions change: facts
 * about one file may then name declarations of another one, whose text is a different one by now.
 */
import ts from "typescript";

/** A name of a function or a function's type: the path of its file, and which one it is there. */
export type Key = string;

/** A function, a method, or the type of one. */
export type Callable = ts.SignatureDeclaration;

interface Outline {
  readonly keys: ReadonlyMap<ts.Node, string>;
  readonly skeleton: string;
}

const outlines = new WeakMap<ts.SourceFile, Outline>();

/** The name of a declaration. */
export function keyOf(declaration: Callable): Key {
  const source = declaration.getSourceFile();
  return `${source.fileName}#${outlineOf(source).keys.get(declaration)}`;
}

/**
 * A file's text without what other files cannot see: the bodies of functions that say what they return. Two texts with the
 * same skeleton have the same names for what other files can see.
 */
export function skeletonOf(source: ts.SourceFile): string {
  return outlineOf(source).skeleton;
}

function outlineOf(source: ts.SourceFile): Outline {
  let outline = outlines.get(source);
  if (outline === undefined) {
    outline = makeOutline(source);
    outlines.set(source, outline);
  }
  return outline;
}

function makeOutline(source: ts.SourceFile): Outline {
  const keys = new Map<ts.Node, string>();
  const parts: string[] = [];
  let visible = 0;
  let hidden = 0;
  let from = 0;
  const visit = (node: ts.Node, inside: boolean): void => {
    if (isCallable(node)) keys.set(node, inside ? `inner ${hidden++}` : String(visible++));
    const opaque = !inside && isOpaqueBody(node);
    if (opaque) {
      parts.push(source.text.slice(from, node.pos));
      from = node.end;
    }
    ts.forEachChild(node, (child) => visit(child, inside || opaque));
  };
  visit(source, false);
  parts.push(source.text.slice(from));
  return { keys, skeleton: parts.join("{}") };
}

function isCallable(node: ts.Node): node is Callable {
  return ts.isFunctionLike(node);
}

/** True for a body from which nothing is inferred. */
function isOpaqueBody(node: ts.Node): boolean {
  if (!ts.isBlock(node) || !ts.isFunctionLike(node.parent)) return false;
  return node.parent.type !== undefined || ts.isConstructorDeclaration(node.parent);
}
