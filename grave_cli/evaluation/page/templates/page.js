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
