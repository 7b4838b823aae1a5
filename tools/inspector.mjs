/**
 * Builds the inspector's page into `dist/inspect`, with the charts, laid out here by ELK from the machines' own
 * definitions, so that no layout engine travels with the page.
 */
import { build } from "esbuild"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import ElkConstructor from "elkjs/lib/elk.bundled.js"
import { buildPage } from "./page.mjs"

const layout = {
  "elk.algorithm": "layered",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.json.shapeCoords": "ROOT",
  "elk.json.edgeCoords": "ROOT",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.edgeLabels.inline": "true",
  "elk.layered.spacing.nodeNodeBetweenLayers": "22",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.wrapping.strategy": "OFF",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.spacing.edgeNodeBetweenLayers": "14",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "10",
  "elk.spacing.nodeNode": "28",
  "elk.spacing.edgeNode": "16",
  "elk.spacing.edgeEdge": "12",
  "elk.spacing.edgeLabel": "4",
  "elk.spacing.labelLabel": "6",
  "elk.padding": "[top=40,left=18,bottom=18,right=18]"
}

/** Widths of the page's monospaced labels, pixels a character. */
const titleWidth = 8.2
const smallWidth = 6.1

const notesOf = (state) => [...state.tags.filter((tag) => tag !== state.key), ...state.activities]

const nodeOf = (state) => {
  const widest = Math.max(state.key.length * titleWidth, ...notesOf(state).map((note) => note.length * smallWidth))
  const isLeaf = state.states.length === 0
  const top = 40 + (isLeaf ? 0 : state.activities.length * 15)
  return {
    id: state.id === "" ? "(root)" : state.id,
    ...(isLeaf
      ? { width: Math.max(84, widest + 28), height: 34 + notesOf(state).length * 15 }
      : {
          layoutOptions: {
            "elk.padding": `[top=${top},left=18,bottom=18,right=18]`,
            "elk.nodeSize.constraints": "MINIMUM_SIZE",
            "elk.nodeSize.minimum": `(${widest + 40},60)`
          }
        }),
    children: state.states.map(nodeOf)
  }
}

const labelOf = (text) => {
  const lines = text.split("\n")
  return { text, width: Math.max(...lines.map((line) => line.length)) * smallWidth + 8, height: lines.length * 13 + 3 }
}

const place = (graph, direction) =>
  new ElkConstructor().layout({
    id: "(all)",
    layoutOptions: { ...layout, "elk.direction": direction },
    children: [nodeOf(graph.root)],
    edges: graph.edges.map((edge) => ({
      id: edge.id,
      sources: [edge.source === "" ? "(root)" : edge.source],
      targets: [edge.target === "" ? "(root)" : edge.target],
      labels: edge.label === "" ? [] : [labelOf(edge.label)]
    }))
  })

/** The pane that a chart is shown in, pixels: the direction that fits it at the larger scale is taken. */
const pane = { width: 900, height: 560 }
const scaleOf = ({ width, height }) => Math.min(pane.width / width, pane.height / height)

const layOut = async (graph) => {
  const tries = await Promise.all(["DOWN", "RIGHT"].map((direction) => place(graph, direction)))
  const placed = tries.reduce((best, one) => (scaleOf(one) > scaleOf(best) ? one : best))
  const boxes = {}
  const visit = (node) => {
    boxes[node.id === "(root)" ? "" : node.id] = [node.x, node.y, node.width, node.height].map(Math.round)
    for (const child of node.children ?? []) visit(child)
  }
  for (const child of placed.children) visit(child)
  const lines = {}
  for (const edge of placed.edges) {
    const [section] = edge.sections ?? []
    const label = edge.labels?.[0]
    lines[edge.id] = {
      points:
        section === undefined
          ? []
          : [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(({ x, y }) => [
              Math.round(x),
              Math.round(y)
            ]),
      ...(label === undefined ? {} : { label: [label.x, label.y, label.width, label.height].map(Math.round) })
    }
  }
  return { ...graph, width: Math.ceil(placed.width), height: Math.ceil(placed.height), boxes, lines }
}

/** The charts of `src/machines/charts/charts.ts`, as data. */
const graphs = async (root) => {
  const { outputFiles } = await build({
    stdin: {
      contents:
        'import { charts } from "./src/machines/charts/charts.ts"; import { toGraph } from "./src/machines/charts/chart-graph.ts"; export const all = Object.entries(charts).map(([name, { machine, where }]) => ({ ...toGraph(machine), name, where }))',
      resolveDir: root
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    logLevel: "warning"
  })
  const { all } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`)
  return all
}

export const buildInspector = async (root, outdir, version) => {
  const page = { source: "inspector", name: "inspect", title: "rbee inspector", assets: "/inspect/assets" }
  const { built, folder } = await buildPage(root, outdir, version, page)
  writeFileSync(join(folder, "machines.json"), JSON.stringify(await Promise.all((await graphs(root)).map(layOut))))
  return built
}
