/** Drawings by ECharts as text: no window, no script, colours left to the style sheet of the page. */
import { CustomChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import type { EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { Markup, escape } from "../markup.ts";

use([CustomChart, GridComponent, SVGRenderer]);

/** The colours of the page; each is a property of its style sheet. */
export const COLOURS = {
  ink: "var(--ink)",
  muted: "var(--muted)",
  line: "var(--line)",
  grid: "var(--grid)",
  page: "var(--card)",
  lockfree: "var(--lockfree)",
  locked: "var(--locked)",
} as const;

/** As `svg text` in the style sheet. */
export const FONT_SIZE = 13;

export interface Drawing {
  /** Unique in the page; letters, digits and dashes. */
  id: string;
  width: number;
  height: number;
  /** For those who don't see it. */
  title: string;
  description: string;
  option: EChartsCoreOption;
}

/** Draws; the same drawing gives the same text. */
export function draw({ id, width, height, title, description, option }: Drawing): Markup {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    const textStyle = { fontFamily: "inherit", fontSize: FONT_SIZE, color: COLOURS.muted };
    chart.setOption({ animation: false, textStyle, ...option });
    const names = `<title id="${id}-title">${escape(title)}</title><desc id="${id}-desc">${escape(description)}</desc>`;
    const open = `<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">`;
    return new Markup(`${open}${names}${inner(chart.renderToSVGString(), id)}</svg>`);
  } finally {
    chart.dispose();
  }
}

/** What is between the tags, without the hooks for scripts, and with ids that are unique in the page. */
function inner(svg: string, id: string): string {
  const body = svg.slice(svg.indexOf(">") + 1, svg.lastIndexOf("</svg>"));
  return body
    .replace(/<style\s*>[^]*?<\/style>/g, "")
    .replace(/ (ecmeta_\w+|class|pointer-events)="[^"]*"/g, "")
    .replace(/ id="zr\d+-/g, ` id="${id}-`)
    .replace(/url\(#zr\d+-/g, `url(#${id}-`)
    .replace(/ (dominant-baseline="central"|xml:space="preserve"|style="font-size:13px;font-family:inherit;")/g, "")
    .replace(/ (d|transform|points|x|y|x1|y1|x2|y2|cx|cy|width|height)="[^"]*"/g, (attribute) =>
      attribute.replace(/-?\d+\.\d+/g, roundedPixels),
    )
    .replace(/<defs\s*>\s*<\/defs>/g, "")
    .replace(/\n+/g, "\n")
    .trim();
}

/** A tenth of a pixel is fine enough, and half as long. */
function roundedPixels(number: string): string {
  return String(Number(Number(number).toFixed(1)));
}
