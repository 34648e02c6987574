// One measure against another: each point one setting, and the Pareto front, that is the settings
// which no other beats in both.

const BOX = { height: 380, left: 64, right: 16, top: 14, bottom: 46 };
const MOST_OF_FRONT = 12;
const MOST_WHISKERS = 40;
const PAIRS = [['prompt', 'subject'], ['drift', 'val_loss'], ['gap', 'val_loss']];
const tradeoff = { x: null, y: null, marks: new Map() };

function startTradeoff() {
  const names = Object.keys(sweep.verdicts);
  if (names.length < 2) {
    replace(byId('tradeoff-body'), el('p', { class: 'muted' },
      'At least two measures are needed to weigh one against another.'));
    return;
  }
  const [up, across] = sweep.objectives;
  const pair = [[across, up], ...PAIRS].find((each) => each.every((name) => names.includes(name)));
  [tradeoff.x, tradeoff.y] = pair ?? names;
  drawTradeoff();
  ['filter', 'colour'].forEach((event) => on(event, drawTradeoff));
  on('highlight', () => lightMarks(tradeoff.marks));
}

function drawTradeoff() {
  const names = Object.keys(sweep.verdicts).map((name) => ({ text: arrowed(name), value: name }));
  const pick = (side) => (name) => { tradeoff[side] = name; drawTradeoff(); };
  const list = points(tradeoff.x, tradeoff.y);
  const front = paretoFront(list, tradeoff.x, tradeoff.y);
  const drawing = list.length ? responsive((width) => scatter(list, front, width))
    : el('p', { class: 'muted' }, 'No setting has both measures.');
  replace(
    byId('tradeoff-body'),
    el('figure', { class: 'panel' },
      el('div', { class: 'tools' }, choice('Up', names, tradeoff.y, pick('y')),
        choice('Across', names, tradeoff.x, pick('x'))),
      drawing, colourLegend()),
    el('div', { class: 'panel' }, frontList(front, list.length)),
  );
}

// {group, x, y} of settings that have both measures.
function points(xName, yName) {
  return shownGroups().map((group) => {
    const members = sweep.groups[group];
    const [xs, ys] = [scoresOf(members, xName), scoresOf(members, yName)];
    if (!xs.length || !ys.length) return null;
    const [x, y] = [xName, yName].map((name) => scoreOf(name, members));
    return { group, members, x, y, xs, ys };
  }).filter(Boolean);
}

function paretoFront(list, xName, yName) {
  const noWorse = (name, a, b) => a === b || beats(name, a, b);
  const dominates = (q, p) => noWorse(xName, q.x, p.x) && noWorse(yName, q.y, p.y)
    && (beats(xName, q.x, p.x) || beats(yName, q.y, p.y));
  return list.filter((p) => !list.some((q) => dominates(q, p))).sort((a, b) => a.x - b.x);
}

function scatter(list, front, width) {
  const [right, bottom] = [width - BOX.right, BOX.height - BOX.bottom];
  const reach = list.length <= MOST_WHISKERS;
  const extent = (side) => rangeOf(
    list.flatMap((p) => [p[side], ...(reach ? p[`${side}s`] : [])]), 0.08,
  );
  const x = linear(...extent('x'), BOX.left, right);
  const y = linear(...extent('y'), bottom, BOX.top);
  const turned = { higher: '→', lower: '←' };
  const better = (name) => `${name} ${turned[measureByName[name].better]} better`;
  const ends = front.map((p) => groupLabel(p.group)).slice(0, MOST_OF_FRONT).join('; ');
  tradeoff.marks = new Map();
  const marks = list.map((p) => pointMark(p, x, y, front.includes(p), reach));
  lightMarks(tradeoff.marks);
  return plot(
    width, BOX.height, `${tradeoff.y} against ${tradeoff.x}; on the front: ${ends}`,
    { class: 'plot' },
    plotFrame({ left: BOX.left, right, top: BOX.top, bottom }, x, y,
      better(tradeoff.x), better(tradeoff.y)),
    svg('path', {
      class: 'front', d: front.map((p, i) => `${i ? 'L' : 'M'}${x(p.x)} ${y(p.y)}`).join(''),
    }),
    marks,
  );
}

function pointMark(p, x, y, onFront, reach) {
  const whiskers = reach && p.xs.length > 1 ? [
    svg('line', {
      class: 'whisker', x1: x(Math.min(...p.xs)), x2: x(Math.max(...p.xs)), y1: y(p.y), y2: y(p.y),
    }),
    svg('line', {
      class: 'whisker', y1: y(Math.min(...p.ys)), y2: y(Math.max(...p.ys)), x1: x(p.x), x2: x(p.x),
    }),
  ] : [];
  const told = () => [tradeoff.y, tradeoff.x].map((name) => (
    `${name} ${number(scoreOf(name, p.members), decimalsOf(name))}`)).join(', ');
  const mark = svg(
    'g', { class: `point${onFront ? ' on-front' : ''}`, ...groupEvents(p.group, told) }, whiskers,
    svg('circle', {
      cx: x(p.x), cy: y(p.y), r: onFront ? 6 : 5, style: { fill: colourOf(p.members[0]) },
    }),
  );
  tradeoff.marks.set(p.group, mark);
  return mark;
}

function frontList(front, count) {
  const reaching = repeats && count <= MOST_WHISKERS
    ? '; thin lines reach from the lowest to the highest of them' : '';
  const names = [tradeoff.y, tradeoff.x];
  const rows = front.slice(0, MOST_OF_FRONT).map((p) => el(
    'tr', { onmouseenter: () => setHover(p.members), onmouseleave: () => setHover([]) },
    el('td', {}, el('button', {
      class: 'link', onclick: () => openDetails(bestMember(p.group, tradeoff.y)),
      onfocus: () => setHover(p.members), onblur: () => setHover([]),
    }, groupLabel(p.group))),
    names.map((name, k) => el('td', {}, number([p.y, p.x][k], decimalsOf(name)))),
  ));
  const rest = front.length - rows.length;
  return [
    el('table', { class: 'front-list' },
      el('caption', {}, `On the Pareto front: ${counted(front.length, 'setting')}`),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'setting'),
        names.map((name) => el('th', { scope: 'col' }, arrowed(name))))),
      el('tbody', {}, rows)),
    rest ? el('p', { class: 'muted small' }, `and ${rest} more, the points that are ringed`) : null,
    el('p', { class: 'muted small' }, 'No other setting is better than these in both. Each point '
      + `is one setting${repeats ? ', the mean over its seeds' : ''}${reaching}.`),
  ];
}
