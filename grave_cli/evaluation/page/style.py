"""Look and behaviour of the page: one sheet of CSS, one short script, nothing from elsewhere."""

COLORS = {
    "right": "#2f9e62",
    "merge": "#e8890c",
    "piece": "#8a5cd6",
    "false": "#d63f4d",
    "missed": "#1f6fde",
}
"""Of the graves on the map, by verdict, in the order in which they are painted."""

WORDS = {
    "right": "right",
    "merge": "several graves in one",
    "piece": "piece of a grave",
    "false": "no grave, or drawn badly",
    "missed": "missed",
}

CSS = """
:root { color-scheme: light; --ink: #1d2733; --soft: #667281; --line: #dde3e9; --paper: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 48px; }
h1 { font-size: 25px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 0 0 10px; }
p { margin: 0 0 10px; max-width: 76ch; }
.soft, caption, figcaption { color: var(--soft); font-size: 13px; }
.lead { font-size: 17px; margin: 14px 0 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; }
.tile, section { background: #fff; border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 14px; }
.tile b { display: block; font-size: 25px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
section { padding: 18px 20px; margin-top: 16px; }
.columns { columns: 2 430px; column-gap: 16px; margin-top: 16px; }
.columns section { break-inside: avoid; margin: 0 0 16px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 8px; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
tr.family td { padding-top: 12px; color: var(--soft); font-size: 13px; font-weight: 600; }
svg { display: block; width: 100%; }
.map { height: min(74vh, 720px); background: #fbfcfd; border: 1px solid var(--line);
  border-radius: 6px; cursor: grab; touch-action: none; }
.map path { fill-rule: evenodd; fill-opacity: .42; stroke-width: 1.2;
  vector-effect: non-scaling-stroke; }
.map .truth path { fill: none; stroke: #46525f; stroke-dasharray: 3 2; stroke-width: 1; }
.map .scale { stroke: #46525f; stroke-width: 2; vector-effect: non-scaling-stroke; }
.keys { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 10px; }
.keys label { display: inline-flex; align-items: center; gap: 6px; cursor: pointer; }
.keys i { width: 14px; height: 14px; border-radius: 3px; display: inline-block; }
.keys i.dashed { border: 1.5px dashed #46525f; }
.chart { max-width: 460px; }
.chart text { font-size: 11px; fill: var(--soft); }
.chart .axis { stroke: #b9c3cd; stroke-width: 1; }
.chart .ideal { stroke: #93a0ad; stroke-dasharray: 4 4; }
.chart .span { stroke: #1f6fde; stroke-opacity: .35; stroke-width: 5; }
.chart .curve { fill: none; stroke: #1f6fde; stroke-width: 2; }
.chart circle { fill: #1f6fde; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); }
@media print { .map { height: 17cm; } section, .tile { break-inside: avoid; } }
"""

SCRIPT = """
const map = document.querySelector('.map');
if (map) {
  const box = map.viewBox.baseVal, home = [box.x, box.y, box.width, box.height];
  const at = event => new DOMPoint(event.clientX, event.clientY)
    .matrixTransform(map.getScreenCTM().inverse());
  let grip = null;
  map.addEventListener('wheel', event => {
    event.preventDefault();
    const point = at(event), factor = event.deltaY < 0 ? 0.8 : 1.25;
    box.x = point.x - (point.x - box.x) * factor; box.width *= factor;
    box.y = point.y - (point.y - box.y) * factor; box.height *= factor;
  }, { passive: false });
  map.addEventListener('pointerdown', event => { grip = at(event); });
  addEventListener('pointerup', () => { grip = null; });
  map.addEventListener('pointermove', event => {
    if (!grip) return;
    const point = at(event);
    box.x += grip.x - point.x; box.y += grip.y - point.y;
  });
  map.addEventListener('dblclick', () => { [box.x, box.y, box.width, box.height] = home; });
  for (const key of document.querySelectorAll('.keys input'))
    key.addEventListener('change', () =>
      map.querySelector('.' + key.value).style.display = key.checked ? '' : 'none');
}
"""
