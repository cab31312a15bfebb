/** Numbers for strings and bytes: equal ones have the same. */
export class Contents {
  private readonly numbers = new Map<string, number>();
  private readonly values: (string | Uint8Array)[] = [];

  ofText(text: string): number {
    return this.number(`t${text}`, text);
  }

  /** The bytes are copied. */
  ofBytes(bytes: Uint8Array): number {
    const key = `b${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")}`;
    return this.numbers.get(key) ?? this.number(key, bytes.slice());
  }

  text(number: number): string {
    return this.values[number] as string;
  }

  /** Not to be changed. */
  bytes(number: number): Uint8Array {
    return this.values[number] as Uint8Array;
  }

  private number(key: string, value: string | Uint8Array): number {
    const known = this.numbers.get(key) ?? this.values.push(value) - 1;
    this.numbers.set(key, known);
    return known;
  }
}
