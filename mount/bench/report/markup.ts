/** HTML without accidents: what is put into a template is escaped unless it is markup itself. */

/** Text that is markup already. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | readonly Content[];

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Control characters have no place in HTML or XML: they are shown as U+FFFD. */
export function escape(text: string): string {
  const printable = text.replace(/(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu, "\ufffd");
  return printable.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A template of markup: html`<td>${name}</td>`. */
export function html(literals: TemplateStringsArray, ...values: readonly Content[]): Markup {
  const parts = literals.map((literal, index) => literal + (index < values.length ? contentText(values[index]!) : ""));
  return new Markup(parts.join(""));
}

function contentText(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === "string") return escape(content);
  if (typeof content === "number") return String(content);
  return content.map(contentText).join("");
}
