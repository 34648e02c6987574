// One measure against another: each point one setting, and the Pareto front, that is the settings
// which no other beats in both.

const BOX = { width: 560, height: 380, left: 72, right: 20, top: 16, bottom: 46 };
const MOST_OF_FRONT = 12;
const tradeoff = { x: null, y: null, marks: new Map() };

function startTradeoff() {
  const names = Object.keys(sweep.verdicts);
  const preferred = [['prompt', 'subject'], ['drift', 'val_loss'], ['gap', 'val_loss']];
  const pair = preferred.find(([x, y]) => names.includes(x) && names.includes(y)) ?? names.slice(0, 2);
  [tradeoff.x, tradeoff.y] = pair;
  if (names.length < 2) {
    replace(byId('tradeoff-body'), el('p', { class: 'muted' }, 'At least two measures are needed to weigh one against another.'));
    return;
  }
  drawTradeoff();
  ['filter', 'colour', 'measure'].forEach((event) => on(event, drawTradeoff));
  on('highlight', () => { lightMarks(tradeoff.marks); lightMarks(parallel.marks); });
}

function drawTradeoff() {
  replace(byId('tradeoff-body'), scatterParts(), parallelPlot());
  lightMarks(tradeoff.marks);
  lightMarks(parallel.marks);
}

// {group, x, y} of settings that have both measures.
function points(xName, yName) {
  return shownGroups().map((group) => {
    const members = sweep.groups[group];
    const [xs, ys] = [scoresOf(members, xName), scoresOf(members, yName)];
    return xs.length && ys.length ? { group, members, x: mean(xs), y: mean(ys), xs, ys } : null;
  }).filter(Boolean);
}

const beats = (name, a, b) => (measureByName[name].better === 'lower' ? a < b : a > b);

function paretoFront(list, xName, yName) {
  const noWorse = (name, a, b) => a === b || beats(name, a, b);
  return list.filter((p) => !list.some((q) => (
    noWorse(xName, q.x, p.x) && noWorse(yName, q.y, p.y) && (beats(xName, q.x, p.x) || beats(yName, q.y, p.y))
  ))).sort((a, b) => a.x - b.x);
}

function scatterParts() {
  const list = points(tradeoff.x, tradeoff.y);
  const names = Object.keys(sweep.verdicts).map((name) => ({ text: `${name} ${arrow(name)}`, value: name }));
  const pick = (side) => (name) => { tradeoff[side] = name; drawTradeoff(); };
  const head = el('div', { class: 'tools' }, choice('Up', names, tradeoff.y, pick('y')), choice('Across', names, tradeoff.x, pick('x')));
  tradeoff.marks = new Map();
  if (!list.length) return el('figure', { class: 'panel' }, head, el('p', { class: 'muted' }, 'No setting has both measures.'));
  const x = linear(...rangeOf(list.flatMap((p) => [...p.xs, p.x]), 0.08), BOX.left, BOX.width - BOX.right);
  const y = linear(...rangeOf(list.flatMap((p) => [...p.ys, p.y]), 0.08), BOX.height - BOX.bottom, BOX.top);
  const front = paretoFront(list, tradeoff.x, tradeoff.y);
  const drawing = svg(
    'svg', { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: 'img', class: 'plot',
      'aria-label': `${tradeoff.y} against ${tradeoff.x}; on the front: ${front.map((p) => groupLabel(p.group)).join('; ')}` },
    plotFrame(x, y),
    svg('path', { class: 'front', d: front.map((p, i) => `${i ? 'L' : 'M'}${x(p.x)} ${y(p.y)}`).join('') }),
    list.map((p) => pointMark(p, x, y, front.includes(p))),
  );
  return [
    el('figure', { class: 'panel' }, head, drawing, colourLegend()),
    el('div', { class: 'panel' }, frontList(front), el('p', { class: 'muted small' },
      'Each point is one setting, the mean over its seeds; thin lines reach from the lowest to the highest of them. ',
      'Ringed and joined is the Pareto front: no other setting is better in both.')),
  ];
}

function plotFrame(x, y) {
  const [left, bottom] = [BOX.left, BOX.height - BOX.bottom];
  return [
    x.ticks(5).map((value) => [
      svg('line', { class: 'grid-line', x1: x(value), x2: x(value), y1: BOX.top, y2: bottom }),
      svg('text', { class: 'tick', x: x(value), y: bottom + 18, 'text-anchor': 'middle' }, tickLabel(value)),
    ]),
    y.ticks(5).map((value) => [
      svg('line', { class: 'grid-line', x1: left, x2: BOX.width - BOX.right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'tick', x: left - 8, y: y(value) + 4, 'text-anchor': 'end' }, tickLabel(value)),
    ]),
    svg('text', { class: 'axis-name', x: (left + BOX.width - BOX.right) / 2, y: BOX.height - 8, 'text-anchor': 'middle' },
      `${tradeoff.x} ${arrow(tradeoff.x) === '↑' ? '→ better' : '← better'}`),
    svg('text', { class: 'axis-name', transform: `translate(13 ${(BOX.top + bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle' },
      `${tradeoff.y} ${arrow(tradeoff.y) === '↑' ? '→ better' : '← better'}`),
  ].flat(3);
}

function pointMark(p, x, y, onFront) {
  const whiskers = p.xs.length > 1 ? [
    svg('line', { class: 'whisker', x1: x(Math.min(...p.xs)), x2: x(Math.max(...p.xs)), y1: y(p.y), y2: y(p.y) }),
    svg('line', { class: 'whisker', y1: y(Math.min(...p.ys)), y2: y(Math.max(...p.ys)), x1: x(p.x), x2: x(p.x) }),
  ] : [];
  const mark = svg(
    'g', { class: `point${onFront ? ' on-front' : ''}`, ...groupEvents(p.group, () => (
      `${tradeoff.y} ${number(p.y)}, ${tradeoff.x} ${number(p.x)}`)) },
    whiskers, svg('circle', { cx: x(p.x), cy: y(p.y), r: onFront ? 6.5 : 5, fill: colourOf(p.members[0]) }),
  );
  tradeoff.marks.set(p.group, mark);
  return mark;
}

// What every drawn mark of a setting does: highlight, tell, pin.
function groupEvents(group, text) {
  const members = sweep.groups[group];
  return {
    onpointermove: (event) => { setHover(members); tip.show(event, el('b', {}, text()), el('br'), groupLabel(group)); },
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

function frontList(front) {
  const rows = front.slice(0, MOST_OF_FRONT).map((p) => el(
    'tr', { onmouseenter: () => setHover(p.members), onmouseleave: () => setHover([]) },
    el('td', {}, el('button', { class: 'link', onclick: () => openDetails(p.members[0]) }, groupLabel(p.group))),
    el('td', {}, number(p.y)), el('td', {}, number(p.x)),
  ));
  return el(
    'table', { class: 'front-list' },
    el('caption', {}, `On the front: ${counted(front.length, 'setting')}`),
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'setting'), el('th', { scope: 'col' }, tradeoff.y), el('th', { scope: 'col' }, tradeoff.x))),
    el('tbody', {}, rows),
  );
}
