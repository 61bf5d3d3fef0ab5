// Maps that zoom with the wheel, with keys or with two fingers, pan by dragging, and hide layers by
// their checkboxes. One SVG unit is a centimetre.
const CLOSEST = 50, DRAG_PX = 4;

function makeMovable(map) {
  const box = map.viewBox.baseVal, home = [box.x, box.y, box.width, box.height];
  const at = event => new DOMPoint(event.clientX, event.clientY)
    .matrixTransform(map.getScreenCTM().inverse());
  const middle = () => ({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
  const zoom = (point, factor) => {
    const least = Math.min(CLOSEST, home[2]), most = 4 * home[2];
    const by = Math.min(Math.max(box.width * factor, least), most) / box.width;
    box.x = point.x - (point.x - box.x) * by; box.width *= by;
    box.y = point.y - (point.y - box.y) * by; box.height *= by;
  };
  const pan = (right, down) => { box.x += right; box.y += down; };
  map.addEventListener('wheel', event => {
    event.preventDefault();
    const turn = event.deltaY * (event.deltaMode ? 33 : 1) / 100;  // of a notch of the wheel
    zoom(at(event), 1.25 ** Math.min(Math.max(turn, -1), 1));
  }, { passive: false });

  const grips = new Map();  // of each finger, or of the mouse: the place of the map that it holds
  let dragged = false;
  const apart = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);
  const release = event => { grips.delete(event.pointerId); };
  map.addEventListener('pointerdown', event => {
    if (event.button) return;
    if (!grips.size) dragged = false;
    grips.set(event.pointerId, { place: at(event), x: event.clientX, y: event.clientY });
  });
  addEventListener('pointerup', release);
  addEventListener('pointercancel', release);
  map.addEventListener('pointermove', event => {
    const grip = grips.get(event.pointerId);
    if (!grip) return;
    if (!event.buttons) return release(event);  // the button was let go outside of the window
    dragged ||= apart(grip, { x: event.clientX, y: event.clientY }) >= DRAG_PX;
    if (!dragged) return;
    const other = [...grips.values()].find(one => one !== grip), place = at(event);
    if (!other) return pan(grip.place.x - place.x, grip.place.y - place.y);
    zoom(other.place, apart(grip.place, other.place) / Math.max(apart(place, other.place), 1));
    grip.place = at(event);
  });
  // A drag that ends on the grave where it began is no click on it.
  map.addEventListener('click', event => { if (dragged) event.stopPropagation(); }, true);
  const reset = () => { [box.x, box.y, box.width, box.height] = home; };
  map.addEventListener('dblclick', reset);
  return {
    keys: {
      '+': () => zoom(middle(), 0.8), '-': () => zoom(middle(), 1.25), 0: reset,
      ArrowRight: () => pan(box.width / 8, 0), ArrowLeft: () => pan(-box.width / 8, 0),
      ArrowDown: () => pan(0, box.height / 8), ArrowUp: () => pan(0, -box.height / 8),
    },
    show: bounds => {
      const shown = { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2 };
      const fits = shown.x > box.x && shown.x < box.x + box.width &&
        shown.y > box.y && shown.y < box.y + box.height;
      if (!fits) { box.x = shown.x - box.width / 2; box.y = shown.y - box.height / 2; }
    },
  };
}

// With Ctrl, Alt or Cmd, a key belongs to the browser.
function listen(place, keys) {
  place.addEventListener('keydown', event => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}

const map = document.querySelector('.map');
const view = map && makeMovable(map);
for (const key of document.querySelectorAll('.keys input')) {
  // A hidden outline can be chosen in a table. With display: none, Firefox knows no place of it.
  const show = () => {
    map.querySelector('.' + key.value).style.visibility = key.checked ? '' : 'hidden';
  };
  key.addEventListener('change', show);
  show();  // a browser may remember the box from before
}
