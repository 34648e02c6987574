// The curve nearest to the pointer is highlighted and told; a click keeps it.

const NEAR = 40; // pixels

function pointing(panel) {
  panel.canvas.addEventListener('pointermove', (event) => pointAt(panel, event));
  panel.canvas.addEventListener('pointerleave', () => { tip.hide(); setHover([]); });
  panel.canvas.addEventListener('click', () => {
    if (state.hover.length) togglePinned(state.hover);
  });
}

function pointAt(panel, event) {
  if (!panel.drawn?.length) return;
  const box = panel.canvas.getBoundingClientRect();
  const nearest = nearestPoint(panel, event.clientX - box.left, event.clientY - box.top);
  if (nearest.away > NEAR) {
    tip.hide();
    setHover([]);
    return;
  }
  setHover([nearest.k]);
  const where = ` at step ${nearest.x.toLocaleString('en')}`;
  tip.show(event, el('b', {}, number(nearest.y)), where, el('br'), labelOf(nearest.k));
}

// By height at the pointer's step, more than by distance along the line.
function nearestPoint(panel, px, py) {
  let nearest = { away: Infinity };
  panel.drawn.forEach((k) => {
    const [xs, ys] = lineOf(panel, k);
    const i = nearestIndex(xs, px, panel.x);
    const away = Math.hypot((panel.x(xs[i]) - px) / 3, panel.y(ys[i]) - py);
    if (away < nearest.away) nearest = { k, i, away, x: xs[i], y: ys[i] };
  });
  return nearest;
}

function nearestIndex(xs, px, scale) {
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (scale(xs[middle]) < px) low = middle;
    else high = middle;
  }
  return Math.abs(scale(xs[low]) - px) < Math.abs(scale(xs[high]) - px) ? low : high;
}
