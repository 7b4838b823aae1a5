import { charts } from "./charts.ts"
import type { Check } from "./core.ts"
import { dynamic } from "./dynamic.ts"
import { intensity } from "./intensity.ts"
import { nesting } from "./nesting.ts"
import { order } from "./order.ts"
import { shutdown } from "./shutdown.ts"
import { table } from "./table.ts"
import { watched } from "./watched.ts"

/** The whole contract of the core, by subject. */
export const conformance: Readonly<Record<string, ReadonlyArray<Check>>> = {
  "strategy × restart type × end": table,
  order,
  intensity,
  shutdown,
  nesting,
  "dynamic children and reports": dynamic,
  watched,
  "charts as actors": charts
}
