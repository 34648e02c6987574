// Parallel coordinates: a line per setting through its values and measures, better ones darker.

const parallel = { marks: new Map() };
const LANES = { width: 640, height: 380, left: 40, right: 40, top: 44, bottom: 30 };

function parallelPlot() {
  const lanes = [
    ...sweep.axes.map((axis, index) => ({ axis, index })).filter(({ axis }) => !axis.seed).map(settingLane),
    ...Object.keys(sweep.verdicts).map(measureLane),
  ].filter(Boolean);
  parallel.marks = new Map();
  if (lanes.length < 2) return null;
  const width = Math.max(LANES.width, 104 * lanes.length);
  const x = (k) => LANES.left + (k * (width - LANES.left - LANES.right)) / (lanes.length - 1);
  const verdict = sweep.verdicts[state.measure];
  const drawn = shownGroups().filter((group) => placeOf(state.measure, group))
    .sort((a, b) => placeOf(state.measure, b).rank - placeOf(state.measure, a).rank);
  const lines = drawn.map((group) => {
    const at = lanes.map((lane, k) => [x(k), lane.at(group)]);
    const share = 1 - placeOf(state.measure, group).rank / Math.max(1, verdict.standings.length - 1);
    const path = svg('path', {
      class: 'lane-line', d: broken(at), 'stroke-opacity': (0.12 + 0.75 * share ** 2).toFixed(2),
      ...groupEvents(group, () => `${state.measure} ${number(placeOf(state.measure, group).mean)}`),
    });
    parallel.marks.set(group, path);
    return path;
  });
  return el(
    'figure', { class: lanes.length > 5 ? 'panel whole' : 'panel' },
    el('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Parallel coordinates' }, svg(
      'svg', { viewBox: `0 0 ${width} ${LANES.height}`, class: 'plot lanes', role: 'img', style: { minWidth: `${Math.min(width, 90 * lanes.length)}px` },
        'aria-label': `Settings and measures of ${counted(drawn.length, 'setting')}; the table has the values` },
      lines, lanes.map((lane, k) => drawLane(lane, x(k))),
    )),
    el('figcaption', { class: 'muted small' }, `Each line is one setting; the better its ${state.measure}, the darker. `
      + 'Measures are turned so that better is up.'),
  );
}

// A line that leaves out what a setting does not have.
function broken(at) {
  let pen = 'M';
  return at.map(([px, py]) => {
    if (py === null) { pen = 'M'; return ''; }
    const part = `${pen}${px} ${py}`;
    pen = 'L';
    return part;
  }).join('');
}

const laneY = (share) => LANES.height - LANES.bottom - share * (LANES.height - LANES.top - LANES.bottom);

function settingLane({ axis, index }) {
  const last = Math.max(1, axis.values.length - 1);
  const every = Math.ceil(axis.values.length / 12);
  return {
    name: nameParts(axis.name),
    ticks: axis.values.map((value, k) => [laneY(k / last), shown(value)]).filter((_, k) => k % every === 0),
    at: (group) => laneY(axis.values.indexOf(trials[sweep.groups[group][0]].values[index]) / last),
  };
}

function measureLane(name) {
  const { standings, better } = sweep.verdicts[name];
  const means = standings.map((each) => each.mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const scale = better === 'lower' ? linear(high, low, laneY(0), laneY(1)) : linear(low, high, laneY(0), laneY(1));
  return {
    name: ['', `${name} ${arrow(name)}`],
    ticks: low === high ? [[scale(low), number(low)]] : [[laneY(1), number(better === 'lower' ? low : high)], [laneY(0), number(better === 'lower' ? high : low)]],
    at: (group) => { const place = placeOf(name, group); return place ? scale(place.mean) : null; },
  };
}

function drawLane(lane, px) {
  const [section, leaf] = lane.name;
  return [
    svg('line', { class: 'lane', x1: px, x2: px, y1: laneY(1), y2: laneY(0) }),
    section ? svg('text', { class: 'tick', x: px, y: 12, 'text-anchor': 'middle' }, section) : null,
    svg('text', { class: 'axis-name', x: px, y: 26, 'text-anchor': 'middle' }, shortened(leaf, 18)),
    ...lane.ticks.map(([py, text]) => svg('text', { class: 'tick outlined', x: px + 6, y: py + 4 }, shortened(text, 14))),
  ].filter(Boolean);
}

function shortened(text, most) {
  const characters = [...text]; // not code units: an emoji stays whole
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}
