/** A value of a scenario together with its place; the schema has already vouched for its shape. */
import type { ScenarioErrorCode, ScenarioError } from "./scenario-error.ts";
import type { Path, ScenarioSource } from "./scenario-source.ts";
import type { ByteString, Spread } from "./scenario-types.ts";
import { decodeBase64, toBytes } from "./bytes.ts";
import { parseDuration, parseFraction, parseRate, parseSize, parseSpread, UnitError } from "./units.ts";

type Parser<T> = (value: number | string) => T;

export class Cursor {
  readonly value: unknown;
  private readonly source: ScenarioSource;
  private readonly path: Path;

  constructor(value: unknown, source: ScenarioSource, path: Path = []) {
    this.value = value;
    this.source = source;
    this.path = path;
  }

  /** The value at `key`, or a cursor on `undefined`. */
  get(key: string | number): Cursor {
    const holds = typeof this.value === "object" && this.value !== null && Object.hasOwn(this.value, key);
    const value = holds ? (this.value as Record<string | number, unknown>)[key] : undefined;
    return new Cursor(value, this.source, [...this.path, key]);
  }

  /** A cursor on nothing at this place: everything read from it is a default. */
  none(): Cursor {
    return new Cursor(undefined, this.source, this.path);
  }

  exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  isText(): boolean {
    return typeof this.value === "string";
  }

  isNumber(): boolean {
    return typeof this.value === "number";
  }

  isScalar(): boolean {
    return this.isText() || this.isNumber();
  }

  isList(): boolean {
    return Array.isArray(this.value);
  }

  isMap(): boolean {
    return typeof this.value === "object" && this.value !== null && !this.isList();
  }

  items(): Cursor[] {
    return this.isList() ? (this.value as unknown[]).map((_, index) => this.get(index)) : [];
  }

  entries(): [string, Cursor][] {
    return this.isMap() ? Object.keys(this.value as object).map((key) => [key, this.get(key)]) : [];
  }

  /** An error at this value (at its key if there is no value). */
  error(reason: string, code: ScenarioErrorCode = "ESCENARIO_VALUE", atKey = false): ScenarioError {
    return this.source.error(code, this.path, reason, atKey);
  }

  /** Applies a parser; what it throws as a UnitError gets a place. */
  parse<T>(parser: Parser<T>): T {
    try {
      return parser(this.value as number | string);
    } catch (error) {
      if (error instanceof UnitError) {
        throw this.error(`"${this.path.at(-1)}": ${error.message}`);
      }
      throw error;
    }
  }

  number(fallback: number): number {
    return this.exists() ? (this.value as number) : fallback;
  }

  text(fallback: string): string {
    return this.exists() ? String(this.value) : fallback;
  }

  flag(fallback: boolean): boolean {
    return this.exists() ? (this.value as boolean) : fallback;
  }

  /** Text as bytes, or the bytes of `{base64: …}`. */
  bytes(fallback: ByteString): ByteString {
    if (!this.exists()) {
      return fallback;
    }
    return this.isMap() ? this.get("base64").parse((text) => decodeBase64(String(text))) : toBytes(String(this.value));
  }

  duration(fallback: number): number {
    return this.exists() ? this.parse(parseDuration) : fallback;
  }

  size(fallback: number): number {
    return this.exists() ? this.parse(parseSize) : fallback;
  }

  fraction(fallback: number, most = 1): number {
    return this.exists() ? this.parse((value) => parseFraction(value, most)) : fallback;
  }

  rate(fallback: number): number {
    return this.exists() ? this.parse(parseRate) : fallback;
  }

  durations(fallback: Spread): Spread {
    return this.exists() ? this.parse((value) => parseSpread(value, parseDuration)) : fallback;
  }

  sizes(fallback: Spread): Spread {
    return this.exists() ? this.parse((value) => parseSpread(value, parseSize)) : fallback;
  }
}
