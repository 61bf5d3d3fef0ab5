// Maps that zoom with the wheel, pan by dragging, and hide layers by their checkboxes.
function makeMovable(map) {
  const box = map.viewBox.baseVal, home = [box.x, box.y, box.width, box.height];
  const at = event => new DOMPoint(event.clientX, event.clientY)
    .matrixTransform(map.getScreenCTM().inverse());
  const zoom = (point, factor) => {
    box.x = point.x - (point.x - box.x) * factor; box.width *= factor;
    box.y = point.y - (point.y - box.y) * factor; box.height *= factor;
  };
  let grip = null;
  map.addEventListener('wheel', event => {
    event.preventDefault();
    zoom(at(event), event.deltaY < 0 ? 0.8 : 1.25);
  }, { passive: false });
  map.addEventListener('pointerdown', event => { grip = at(event); });
  addEventListener('pointerup', () => { grip = null; });
  map.addEventListener('pointermove', event => {
    if (!grip) return;
    const point = at(event);
    box.x += grip.x - point.x; box.y += grip.y - point.y;
  });
  const reset = () => { [box.x, box.y, box.width, box.height] = home; };
  map.addEventListener('dblclick', reset);
  return {
    reset,
    zoom: factor => zoom({ x: box.x + box.width / 2, y: box.y + box.height / 2 }, factor),
    show: bounds => {
      const shown = { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2 };
      const fits = shown.x > box.x && shown.x < box.x + box.width &&
        shown.y > box.y && shown.y < box.y + box.height;
      if (!fits) { box.x = shown.x - box.width / 2; box.y = shown.y - box.height / 2; }
    },
  };
}

const map = document.querySelector('.map');
const view = map && makeMovable(map);
for (const key of document.querySelectorAll('.keys input'))
  key.addEventListener('change', () =>
    map.querySelector('.' + key.value).style.display = key.checked ? '' : 'none');
