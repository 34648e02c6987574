// Drawings in SVG: at the width they have, so that their text is as large as all other text.

const CHARACTER = 6.6; // pixels, about

// draw(width) → svg node; drawn again when the width changes.
function responsive(draw, least = 0) {
  const node = el('div', { class: 'drawing' });
  let width = 0;
  node.redraw = () => { if (width) replace(node, draw(width)); };
  new ResizeObserver(() => {
    const now = Math.max(least, Math.floor(node.clientWidth));
    if (now === width || !node.clientWidth) return;
    width = now;
    node.redraw();
  }).observe(node);
  return node;
}

function plot(width, height, about, props, ...children) {
  return svg('svg', {
    width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': about, ...props,
  }, ...children);
}

const svgText = (x, y, props, words) => svg('text', { x, y, ...props }, words);

// Grid lines and ticks of both axes, and their names.
function plotFrame({ left, right, top, bottom }, x, y, xName, yName) {
  const [xs, ys] = [x.ticks(Math.max(4, Math.round((right - left) / 90))), y.ticks(5)];
  const [xLabels, yLabels] = [tickLabels(xs), tickLabels(ys)];
  const name = { class: 'axis-name', 'text-anchor': 'middle' };
  return [
    xs.map((value, k) => [
      svg('line', { class: 'grid-line', x1: x(value), x2: x(value), y1: top, y2: bottom }),
      svgText(x(value), bottom + 18, { class: 'tick', 'text-anchor': 'middle' }, xLabels[k]),
    ]),
    ys.map((value, k) => [
      svg('line', { class: 'grid-line', x1: left, x2: right, y1: y(value), y2: y(value) }),
      svgText(left - 8, y(value) + 4, { class: 'tick', 'text-anchor': 'end' }, yLabels[k]),
    ]),
    svgText((left + right) / 2, bottom + 38, name, xName),
    svgText(0, 0, {
      ...name,
      transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`,
    }, yName),
  ];
}

// What every drawn mark of a setting does: highlight, tell, keep highlighted.
function groupEvents(group, told) {
  const members = sweep.groups[group];
  return {
    onpointermove: (event) => {
      setHover(members);
      tip.show(event, el('b', {}, told()), el('br'), groupLabel(group));
    },
    onpointerleave: () => { setHover([]); tip.hide(); },
    onclick: () => togglePinned(members),
  };
}

function lightMarks(marks) {
  const any = litTrials().length > 0;
  marks.forEach((mark, group) => {
    const lit = sweep.groups[group].some(isLit);
    mark.classList.toggle('lit', lit);
    mark.classList.toggle('dim', any && !lit);
  });
}
