/**
 * The drawing library (Apache ECharts), as much of it as charts need, loaded when the first chart is shown. Canvas for the
 * screen, SVG for files. Its tooltip is drawn too: as HTML it would bring style attributes, which the page's policy forbids.
 */
import { BarChart, LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer, SVGRenderer } from "echarts/renderers";
import {
  type Chart,
  type ChartColours,
  chartOption,
  type ExperimentResult,
  PRINT_COLOURS,
} from "../../../core/lab/protocol/index.ts";

use([
  BarChart,
  LineChart,
  GridComponent,
  LegendComponent,
  TitleComponent,
  TooltipComponent,
  CanvasRenderer,
  SVGRenderer,
]);

/** Size of a picture in a file, in CSS pixels; as the command line writes it. */
const FILE_SIZE = { width: 1000, height: 520 };

export interface Drawing {
  show(result: ExperimentResult, chart: Chart, colours: ChartColours): void;
  resize(): void;
  dispose(): void;
}

/** A drawing that fills an element. */
export function draw(element: HTMLElement): Drawing {
  const drawing = init(element, null, { renderer: "canvas" });
  return {
    show(result, chart, colours) {
      const option = chartOption(result, chart, colours);
      drawing.setOption(
        {
          ...option,
          legend: {
            ...option.legend,
            type: "scroll",
            right: 8,
            pageIconColor: colours.text,
            pageIconInactiveColor: colours.line,
            pageTextStyle: { color: colours.text },
          },
          tooltip: {
            trigger: chart.kind === "bars" ? "axis" : "item",
            axisPointer: { type: "shadow" },
            renderMode: "richText",
            confine: true,
            backgroundColor: colours.ground,
            borderColor: colours.line,
            textStyle: { color: colours.text, fontSize: 12 },
          },
        },
        true,
      );
    },
    resize: () => drawing.resize(),
    dispose: () => drawing.dispose(),
  };
}

/** A chart as an SVG file, in the colours of print. */
export function svgOf(result: ExperimentResult, chart: Chart): string {
  const drawing = init(null, null, { renderer: "svg", ssr: true, ...FILE_SIZE });
  drawing.setOption(chartOption(result, chart, PRINT_COLOURS));
  const text = drawing.renderToSVGString();
  drawing.dispose();
  return text;
}
